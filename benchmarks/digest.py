"""Measure what it costs to send the mails that are due: ``python benchmarks/digest.py --help``.

It makes and removes its own databases and servers, uses loopback only, and writes the page
``docs/benchmarks/digest.rst``.
"""

from __future__ import annotations

import argparse

from digestbench import report
from digestbench.measures import Group, measure
from harness import command
from harness.pages import NAMES, terminal


def main() -> None:
    """Run the benchmark that the command line asks for."""
    options = _options()
    groups = []
    with command.databases(options.databases) as databases:
        for database in databases:
            for step in measure(database, options.rows, options.mails, options.rounds):
                if isinstance(step, Group):
                    groups.append(step)
                else:
                    print(step, flush=True)
        for group in groups:
            print(f"\n{NAMES[group.database.name]}, {options.rows:,} rows")
            print(terminal(report.table(group)))
        page = report.page(groups, options.rows, options.mails, options.rounds)
        command.publish(options, page, report.verdicts(groups))


def _options() -> argparse.Namespace:
    parser = command.parser(__doc__, "digest.rst", rounds=5)
    parser.add_argument("--mails", type=int, default=1_000, help="mails of one measurement (1000)")
    options = parser.parse_args()
    if options.quick:
        options.rows, options.rounds = min(options.rows, 100_000), min(options.rounds, 2)
        options.mails = min(options.mails, 200)
    return options


if __name__ == "__main__":
    main()
