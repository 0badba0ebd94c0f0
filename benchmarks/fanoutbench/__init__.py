"""The parts of the benchmark of the fan-out; ``benchmarks/fanout.py`` puts them together."""
