"""Measure the process that rings open pages: ``python benchmarks/doorbell.py --help``.

It makes and removes its own Redis and databases, uses loopback only, and writes the page
``docs/benchmarks/doorbell.rst``.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from doorbellbench import report
from doorbellbench.measures import Results, measure_memory, measure_polls, measure_rings
from harness import PAGES, command
from harness.brokers import Redis
from harness.databases import SQLite
from harness.pages import terminal


def main() -> None:
    """Run the benchmark that the command line asks for."""
    options = _options()
    # A terminated run stops its servers, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = Results()
    with ExitStack() as stack:
        database = SQLite(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-"))))
        broker = stack.enter_context(Redis())
        steps = (
            measure_memory(broker.url, options.pages, results),
            measure_rings(broker.url, database, options.rounds, options.seconds, results),
            measure_polls(broker.url, database, options.idle, results),
        )
        for step in steps:
            for line in step:
                print(line, flush=True)
        version = broker.version()
    for table in (report.memory, report.rings, report.polls):
        print("\n" + terminal(table(results)))
    command.publish(options, report.page(results, options.seconds, options.rounds, version), report.verdicts(results))


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--pages", type=_numbers, default="1000,10000", help="open pages (1000,10000)")
    options.add_argument("--rounds", type=int, default=3, help="how often the rings are measured (3)")
    options.add_argument("--seconds", type=float, default=10, help="of each round (10)")
    options.add_argument("--idle", type=float, default=90, help="seconds for which an idle page is watched (90)")
    options.add_argument("--quick", action="store_true", help="a look: short, no page")
    options.add_argument("--output", type=Path, help="the page to write; docs/benchmarks/doorbell.rst")
    options.set_defaults(page=PAGES / "doorbell.rst")
    chosen = options.parse_args()
    if chosen.quick:
        chosen.rounds, chosen.seconds, chosen.idle = min(chosen.rounds, 2), min(chosen.seconds, 4), 10
    return chosen


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
