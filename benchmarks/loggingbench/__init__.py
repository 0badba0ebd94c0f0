"""The parts of the benchmark of the logging handler; ``benchmarks/logging_handler.py`` puts them together."""
