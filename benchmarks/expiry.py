"""Measure what it costs to remove old messages, and who waits for it: ``python benchmarks/expiry.py --help``.

It makes and removes its own databases and servers, uses loopback only, and writes the page
``docs/benchmarks/expiry.rst``.
"""

from __future__ import annotations

import argparse

from expirybench import report
from expirybench.measures import Group, measure
from harness import command
from harness.pages import NAMES, terminal


def main() -> None:
    """Run the benchmark that the command line asks for."""
    options = _options()
    groups = []
    with command.databases(options.databases) as databases:
        for database in databases:
            for step in measure(database, options.rows, options.rounds):
                if isinstance(step, Group):
                    groups.append(step)
                else:
                    print(step, flush=True)
        for group in groups:
            print(f"\n{NAMES[group.database.name]}, {options.rows:,} rows")
            print(terminal(report.table(group)))
        command.publish(options, report.page(groups, options.rows, options.rounds), report.verdicts(groups))


def _options() -> argparse.Namespace:
    options = command.parser(__doc__, "expiry.rst", rounds=3).parse_args()
    if options.quick:
        options.rows, options.rounds = min(options.rows, 100_000), min(options.rounds, 2)
    return options


if __name__ == "__main__":
    main()
