"""Measure what it costs to tell many recipients something: ``python benchmarks/fanout.py --help``.

It makes and removes its own databases and servers, uses loopback only, and writes the page
``docs/benchmarks/fanout.rst``.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack

from fanoutbench import report
from fanoutbench.measures import Group, measure, prepare, watch
from harness import command
from harness.inboxes import EACH
from harness.pages import NAMES, terminal


def main() -> None:
    """Run the benchmark that the command line asks for."""
    options = _options()
    with command.databases(options.databases) as databases:
        groups = []
        for database in databases:
            for step in prepare(database, options.rows, options.sizes):
                if isinstance(step, Group):
                    groups.append(step)
                else:
                    print(step, flush=True)
        for group in groups:
            with ExitStack() as stack:
                for line in measure(stack, group, options.rounds):
                    print(line, flush=True)
            for line in watch(group, options.sizes):
                print(line, flush=True)
        for group in groups:
            for recipients in options.sizes:
                print(f"\n{NAMES[group.database.name]}, {recipients:,} recipients, {options.rows:,} rows")
                print(terminal(report.table(group, recipients)))
        print("\n" + terminal(report.memory(groups)))
        page = report.page(groups, options.sizes, options.rows, options.rounds)
        command.publish(options, page, report.verdicts(groups, options.sizes))


def _options() -> argparse.Namespace:
    options = command.parser(__doc__, "fanout.rst", rounds=3).parse_args()
    if options.quick:
        options.rows, options.rounds = min(options.rows, 100_000), min(options.rounds, 2)
    everybody = options.rows // EACH
    options.sizes = [everybody // 10, everybody]
    return options


if __name__ == "__main__":
    main()
