"""The parts of the benchmark of the mails; ``benchmarks/digest.py`` puts them together."""
