"""Measure what a poll costs, beside the alternatives: ``python benchmarks/poll.py --help``.

It makes and removes its own databases and servers, uses loopback only, and writes the page
``docs/benchmarks/poll.rst``.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from harness import PAGES
from harness.brokers import Redis
from harness.databases import Database, PostgreSQL, SQLite
from harness.pages import NAMES, terminal
from pollbench import report
from pollbench.datasets import SESSIONS, STATEMENTS, Dataset, build
from pollbench.polls import ITEMS
from pollbench.rounds import Load, run, serve
from pollbench.statements import count

PAGE = PAGES / "poll.rst"


def main() -> None:
    """Run the benchmark that the command line asks for."""
    options = _options()
    # A terminated run stops its servers, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ExitStack() as stack:
        results = _measure(stack, options)
    for group in results.groups:
        print(f"\n{NAMES[group.database]}, {group.rows:,} rows")
        print(terminal(report.table(results, group)))
    if len(options.rows) > 1:
        print("\nTime at the largest data set, as a multiple of the smallest")
        print(terminal(report.growth(results)))
    print("", *report.verdicts(results), sep="\n")
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(report.page(results), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=_numbers, help="sizes of the data sets: 10000,1000000")
    parser.add_argument("--rounds", type=int, help="how often everything is measured (7)")
    parser.add_argument("--seconds", type=float, help="how long each time (1.5)")
    parser.add_argument("--databases", type=_names, default="sqlite,postgresql")
    parser.add_argument("--quick", action="store_true", help="a look: small, short, no page")
    parser.add_argument("--output", type=Path, help="the page to write; docs/benchmarks/poll.rst")
    options = parser.parse_args()
    usual = ([10_000], 2, 0.5, None) if options.quick else ([10_000, 1_000_000], 7, 1.5, PAGE)
    for name, value in zip(("rows", "rounds", "seconds", "output"), usual, strict=True):
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def _numbers(text: str) -> list[int]:
    numbers = sorted({int(number) for number in text.split(",")})
    if numbers[0] < SESSIONS * ITEMS:
        raise argparse.ArgumentTypeError(f"at least {SESSIONS * ITEMS} rows: each client is a user")
    return numbers


def _names(text: str) -> list[str]:
    names = text.split(",")
    if not set(names) <= set(NAMES):
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(NAMES)}")
    return names


def _measure(stack: ExitStack, options: argparse.Namespace) -> report.Results:
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="poll-benchmark-")))
    # The clients are forked first, before there is anything that they could inherit.
    load = stack.enter_context(Load())
    broker = stack.enter_context(Redis())
    databases = [_database(stack, name, directory) for name in options.databases]
    filled = [[_build(app, database, rows) for app in STATEMENTS] for database in databases for rows in options.rows]
    counts = {
        (dataset.database.name, poll): statements
        for datasets in filled[:: len(options.rows)]
        for dataset in datasets
        for poll, statements in count(dataset, directory, broker.url).items()
    }
    groups = [serve(stack, load, datasets, broker.url) for datasets in filled]
    for line in run(load, groups, options.rounds, options.seconds):
        print(line, flush=True)
    versions = [*(database.version() for database in databases), broker.version()]
    return report.Results(groups, counts, versions, options.rounds, options.seconds)


def _database(stack: ExitStack, name: str, directory: Path) -> Database:
    return SQLite(directory) if name == "sqlite" else stack.enter_context(PostgreSQL(durable=False))


def _build(app: str, database: Database, rows: int) -> Dataset:
    print(f"filling {rows:,} rows: {database.name}, {app}", flush=True)
    return build(app, database, rows)


if __name__ == "__main__":
    main()
