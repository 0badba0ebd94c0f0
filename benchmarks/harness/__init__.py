"""What the benchmarks share: databases of their own, contenders as processes, tables and pages."""

from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent.parent
"""The directory from which the applications under ``contenders`` are imported."""

PAGES = BENCHMARKS.parent / "docs" / "benchmarks"
"""Where the benchmarks write what they found out."""
