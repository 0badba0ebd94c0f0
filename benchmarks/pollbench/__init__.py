"""The parts of the benchmark of the poll; ``benchmarks/poll.py`` puts them together."""

from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent.parent
"""The directory from which the applications under ``contenders`` are imported."""
