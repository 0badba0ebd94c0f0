"""Measure what a record costs that does not notify: ``python benchmarks/logging_handler.py --help``.

It needs no database, and writes the page ``docs/benchmarks/logging.rst``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from harness import PAGES, command
from harness.pages import terminal
from loggingbench import report
from loggingbench.measures import Group, measure


def main() -> None:
    """Run the benchmark that the command line asks for."""
    options = _options()
    groups = []
    for step in measure(options.rows, options.rounds):
        if isinstance(step, Group):
            groups.append(step)
        else:
            print(step, flush=True)
    for group in groups:
        print(f"\nRecords, {group.kind.title}")
        print(terminal(report.table(group)))
    command.publish(options, report.page(groups, options.rows, options.rounds), report.verdicts(groups))


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--rows", type=int, default=200_000, help="records in each round (200000)")
    options.add_argument("--rounds", type=int, default=9, help="how often everything is measured (9)")
    options.add_argument("--quick", action="store_true", help="a look: short, no page")
    options.add_argument("--output", type=Path, help="the page to write; docs/benchmarks/logging.rst")
    options.set_defaults(page=PAGES / "logging.rst")
    chosen = options.parse_args()
    if chosen.quick:
        chosen.rows, chosen.rounds = min(chosen.rows, 20_000), min(chosen.rounds, 2)
    return chosen


if __name__ == "__main__":
    main()
