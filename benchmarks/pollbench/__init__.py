"""The parts of the benchmark of the poll; ``benchmarks/poll.py`` puts them together."""
