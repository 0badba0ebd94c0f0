"""What is measured: removing the older half of all messages while somebody else writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median

from harness.contenders import Contender
from harness.databases import Database
from harness.inboxes import fill


@dataclass(frozen=True)
class Way:
    """One way to remove what is old.

    :param function: of the contender ``ours``.
    """

    title: str
    function: str


PLAIN = Way("one plain DELETE", "delete_plainly")
OURS = Way("Flask-Notify, in batches", "expire")

WAYS = (PLAIN, OURS)


@dataclass(frozen=True)
class Window:
    """One removal; times in seconds.

    :param longest: for how long the writer waited for one message at most.
    :param usual: the median of the writer's messages.
    """

    seconds: float
    longest: float
    usual: float


@dataclass
class Group:
    """Everything that was measured on one database."""

    database: Database
    windows: dict[Way, list[Window]] = field(default_factory=lambda: {way: [] for way in WAYS})

    def ratio(self, name: str) -> float:
        """Return an attribute of our windows as a multiple of the plain DELETE's: the median over the rounds."""
        pairs = zip(self.windows[OURS], self.windows[PLAIN], strict=True)
        return float(median(getattr(ours, name) / getattr(plain, name) for ours, plain in pairs))


def measure(database: Database, rows: int, rounds: int) -> Iterator[Group | str]:
    """Remove the older half in each way in turn, each from a fresh copy; tell of it, and yield the group at last."""
    group = Group(database)
    yield f"{database.name}: filling {rows:,} rows"
    fill("ours", database, rows)
    for number in range(rounds):
        # Each round begins with the other one.
        for way in WAYS[:: 1 if number % 2 == 0 else -1]:
            window = _measure_one(database, way, rows)
            group.windows[way].append(window)
            what = f"{window.seconds:.2f} s, the writer waited {window.longest * 1000:.0f} ms at most"
            yield f"round {number + 1}: {database.name}: {way.title}: {what}"
    yield group


def _measure_one(database: Database, way: Way, rows: int) -> Window:
    copy = "copy"
    url = database.copy("ours", copy)
    with Contender("ours", url) as contender, Contender("writer", url) as writer:
        contender.ask("ready")
        database.settle(copy)
        writer.ask("begin")
        seconds = contender.ask(way.function)["seconds"]
        written = writer.ask("end")
    left = database.value(copy, "SELECT count(*) FROM notify_message WHERE subject <> 'And another'")
    if left != rows - rows // 2:
        raise SystemExit(f"{way.title}: expected to leave {rows - rows // 2:,} rows, got {left:,}")
    database.drop(copy)
    return Window(seconds, written["longest"], written["median"])
