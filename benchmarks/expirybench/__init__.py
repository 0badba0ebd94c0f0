"""The parts of the benchmark of the expiry; ``benchmarks/expiry.py`` puts them together."""
