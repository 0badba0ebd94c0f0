"""The parts of the benchmark of the doorbell; ``benchmarks/doorbell.py`` puts them together."""
