"""The command line that the benchmarks of messages have in common."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from . import PAGES
from .databases import Database, PostgreSQL, SQLite
from .pages import NAMES


def parser(description: str | None, page: str, *, rounds: int) -> argparse.ArgumentParser:
    """Return a parser of the options that every benchmark has.

    :param description: a module's docstring; its first line is shown.
    :param page: the file that is written, of those under ``docs/benchmarks``.
    """
    options = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    options.add_argument("--rows", type=int, default=1_000_000, help="messages that are there before (1000000)")
    options.add_argument("--rounds", type=int, default=rounds, help=f"how often everything is measured ({rounds})")
    options.add_argument("--databases", type=_names, default="sqlite,postgresql")
    options.add_argument("--quick", action="store_true", help="a look: small, short, no page")
    options.add_argument("--output", type=Path, help=f"the page to write; docs/benchmarks/{page}")
    options.set_defaults(page=PAGES / page)
    return options


def _names(text: str) -> list[str]:
    names = text.split(",")
    if not set(names) <= set(NAMES):
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(NAMES)}")
    return names


@contextmanager
def databases(names: list[str]) -> Iterator[list[Database]]:
    """Make databases, and remove them at the end, however it comes."""
    # A terminated run stops its servers, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        yield [SQLite(directory) if name == "sqlite" else stack.enter_context(PostgreSQL()) for name in names]


def publish(options: argparse.Namespace, page: str, verdicts: list[str]) -> None:
    """Print what was reached, and write the page unless it was only a look."""
    print("", *verdicts, sep="\n", flush=True)
    output = options.output or (None if options.quick else options.page)
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(page, encoding="utf-8")
