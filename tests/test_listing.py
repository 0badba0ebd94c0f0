"""The pages of the inbox: a walk neither skips nor repeats, and each page is found by the recipient's index."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from sqlalchemy import event, insert, text, update

from flask_notify.messages.listing import (
    Anchor,
    Direction,
    Filters,
    Page,
    Place,
    newest_unseen,
    read,
    read_all,
    reader_of,
)
from tests.apps import Site
from tests.polls import NOON
from tests.test_poll_plans import explain, nodes

pytestmark = pytest.mark.databases("sqlite", "postgresql", "mariadb")


class Desk:
    """Messages of one recipient, written past the extension: a cursor each, as the inbox gives it."""

    def __init__(self, site: Site, key: Any) -> None:
        self.site = site
        self.key = key
        self.cursor = NOON

    def arrive(self, count: int = 1, **values: Any) -> list[float]:
        """Store unseen messages, and return their cursors."""
        cursors = [self.cursor + step for step in range(1, count + 1)]
        self.cursor += count
        models = self.site.notify.models
        rows = [
            {
                "recipient_id": self.key,
                "type": "system",
                "subject": f"number {cursor - NOON:.0f}",
                "cursor": cursor,
                "created_at": cursor,
                "mail_mode": "never",
                "rule": "default",
                **values,
            }
            for cursor in cursors
        ]
        if rows:
            self._run(insert(models.message), rows)
        return cursors

    def see(self, *cursors: float) -> None:
        """Mark those of some messages seen that are not, at a cursor of its own."""
        self.cursor += 1
        message = self.site.notify.models.message
        mine = update(message).where(message.c.recipient_id == self.key, message.c.cursor.in_(cursors))
        self._run(mine.where(message.c.seen_at.is_(None)).values(seen_at=self.cursor))

    def _run(self, statement: Any, rows: Any = None) -> None:
        inbox = self.site.notify.models.inbox
        with self.site.app.app_context():
            session = self.site.db.session
            session.execute(statement, rows)
            session.execute(update(inbox).where(inbox.c.recipient_id == self.key).values(cursor=self.cursor))
            session.commit()

    def page(self, place: Place | None = None, limit: int = 3, **filters: Any) -> Page:
        """Read a page, as text and back where its place is concerned."""
        with self.site.app.app_context():
            session, models = self.site.db.session(), self.site.notify.models
            reader = reader_of(session, models, self.key)
            again = None if place is None else Place.parse(str(place))
            assert again == place
            page = read(session, models, reader, limit, Filters(**filters), again)
            session.expunge_all()
            return page


@pytest.fixture
def desk(site: Site) -> Desk:
    return Desk(site, site.add_user("susan"))


def cursors_of(page: Page) -> list[float]:
    return [message.cursor for message in page.messages]


def walk(
    desk: Desk, first: Page, direction: Direction, between: Callable[[Page], object] = lambda _: None, **options: Any
) -> Iterator[Page]:
    """Yield a page and all further ones in one direction; something happens before each."""
    page = first
    while True:
        yield page
        between(page)
        place = page.older if direction == "older" else page.newer
        if place is None:
            return
        page = desk.page(place, **options)


def test_the_unseen_come_first_and_of_each_the_newest(desk: Desk) -> None:
    one, two, three, four = desk.arrive(4)
    desk.see(two, four)

    assert cursors_of(desk.page(limit=10)) == [three, one, four, two]


def test_the_pages_lead_on_and_back(desk: Desk) -> None:
    cursors = desk.arrive(8)
    desk.see(*cursors[2:6])

    there = list(walk(desk, desk.page(), "older"))
    back = list(walk(desk, there[-1], "newer"))

    expected = [cursors[i] for i in (7, 6, 1, 0, 5, 4, 3, 2)]
    assert [cursor for page in there for cursor in cursors_of(page)] == expected
    assert [len(page.messages) for page in there] == [3, 3, 2]
    assert [cursors_of(page) for page in reversed(back)] == [cursors_of(page) for page in there]
    assert there[0].newer is None
    assert there[-1].older is None
    assert back[-1].newer is None


@pytest.mark.databases("sqlite")
def test_no_link_leads_nowhere(desk: Desk) -> None:
    for count in range(8):
        pages = list(walk(desk, desk.page(), "older"))

        assert len(pages) == max(1, -(-count // 3))
        assert all(page.messages for page in pages) or count == 0
        desk.arrive()


def test_what_is_seen_by_looking_at_it_keeps_its_place(desk: Desk) -> None:
    cursors = desk.arrive(8)

    def look(_: Page) -> None:
        desk.see(*cursors)

    there = list(walk(desk, desk.page(), "older", look))
    back = list(walk(desk, there[-1], "newer", look))

    assert [cursor for page in there for cursor in cursors_of(page)] == cursors[::-1]
    assert [cursors_of(page) for page in reversed(back)] == [cursors_of(page) for page in there]


def test_what_arrives_is_not_in_the_walk_and_its_first_page_says_so(desk: Desk) -> None:
    cursors = desk.arrive(5)
    first = desk.page()
    (last,) = list(walk(desk, first, "older"))[1:]
    new = desk.arrive(2)

    again = desk.page(last.newer)

    assert cursors_of(again) == cursors[:1:-1]
    assert again.newer is None
    assert again.arrived
    assert cursors_of(desk.page()) == [*new[::-1], cursors[-1]]


def test_the_first_page_of_a_walk_in_which_nothing_came_says_that_it_is_the_first(desk: Desk) -> None:
    cursors = desk.arrive(5)
    (last,) = list(walk(desk, desk.page(), "older"))[1:]
    desk.see(*cursors)

    again = desk.page(last.newer)

    assert (again.newer, again.arrived) == (None, False)


@pytest.mark.parametrize("seed", range(2))
def test_no_walk_skips_or_repeats_whatever_happens_meanwhile(desk: Desk, seed: int) -> None:
    chance = random.Random(seed)
    cursors = desk.arrive(17)
    desk.see(*chance.sample(cursors, 6))
    expected = cursors_of(desk.page(limit=100))

    def something(_: Page) -> None:
        for _time in range(3):
            if chance.random() < 0.4:
                desk.arrive(chance.randrange(1, 4))
            desk.see(*chance.sample(cursors, 4))

    there = list(walk(desk, desk.page(limit=4), "older", something, limit=4))
    back = list(walk(desk, there[-1], "newer", something, limit=4))

    assert [cursor for page in there for cursor in cursors_of(page)] == expected
    assert [cursor for page in reversed(back) for cursor in cursors_of(page)] == expected


def test_filters_choose_and_the_pages_of_the_chosen_lead_on(desk: Desk) -> None:
    old = desk.arrive(4, type="private")
    new = desk.arrive(4)
    desk.see(*old[:2], *new[:2])

    def walked(**filters: Any) -> list[float]:
        first = desk.page(limit=2, **filters)
        return [c for page in walk(desk, first, "older", limit=2, **filters) for c in cursors_of(page)]

    assert walked(seen=False) == [new[3], new[2], old[3], old[2]]
    assert walked(seen=True) == [new[1], new[0], old[1], old[0]]
    assert walked(type="private") == [old[3], old[2], old[1], old[0]]
    assert walked(type="private", seen=False) == [old[3], old[2]]
    assert walked(type="gone") == []
    assert walked(since=new[0], before=new[2]) == [new[1], new[0]]


def test_of_the_unseen_the_widget_shows_the_newest(desk: Desk) -> None:
    cursors = desk.arrive(5)
    desk.see(cursors[4])

    with desk.site.app.app_context():
        found = newest_unseen(desk.site.db.session(), desk.site.notify.models, desk.key, 2)

        assert [message.cursor for message in found] == [cursors[3], cursors[2]]


def test_nobody_finds_another_ones_messages(desk: Desk) -> None:
    other = Desk(desk.site, desk.site.add_user("david"))
    other.arrive(5)
    theirs = other.page()

    assert theirs.older is not None
    assert desk.page().messages == []
    assert desk.page(theirs.older).messages == []


def test_what_is_no_place_is_none() -> None:
    number = "9" * 13
    wrong = ["", "older", "older~unseen~1", "older~unseen~1~2~3", "up~seen~1~2", "older~seen~nan~1", "older~seen~-1~1"]
    wrong += ["older~seen~1e400~1", f"older~seen~1~{number}", "older~seen~1~2\n", "older~seen~１~2"]

    assert [text for text in wrong if Place.parse(text) is not None] == []


def test_everybodys_messages_are_listed_newest_first_or_those_of_one(desk: Desk) -> None:
    other = Desk(desk.site, desk.site.add_user("david"))
    for _ in range(3):
        desk.arrive()
        other.arrive()

    def pages(key: Any) -> list[list[Any]]:
        found, anchor = [], None
        while True:
            with desk.site.app.app_context():
                overview = read_all(desk.site.db.session(), desk.site.notify.models, key, anchor, 2)
                found.append([cast(Any, message).recipient.name for message in overview.messages])
                if overview.older is None:
                    return found
                anchor = Anchor.parse(str(overview.older))

    assert pages(None) == [["david", "susan"]] * 3
    assert pages(desk.key) == [["susan", "susan"], ["susan"]]


def test_the_list_of_everybodys_messages_leads_back(desk: Desk) -> None:
    desk.arrive(5)
    with desk.site.app.app_context():
        session, models = desk.site.db.session(), desk.site.notify.models
        first = read_all(session, models, None, None, 2)
        second = read_all(session, models, None, first.older, 2)

        again = read_all(session, models, None, second.newer, 2)

        assert again.messages == first.messages
        assert (first.newer, again.newer) == (None, None)
        assert again.older == first.older


@pytest.mark.slow
def test_a_page_is_found_by_the_recipients_index_among_many(desk: Desk) -> None:
    site = desk.site
    recipients = [desk.key, *(site.add_user() for _ in range(40))]
    for key in recipients:
        Desk(site, key).arrive(200)
    message = site.notify.models.message
    with site.app.app_context(), site.db.engine.connect() as connection:
        name = connection.dialect.name
        analyze = "ANALYZE TABLE notify_message" if name in ("mysql", "mariadb") else "ANALYZE"
        connection.execute(update(message).where(message.c.id % 2 == 0).values(seen_at=NOON))
        connection.execute(text(analyze))
        connection.commit()
        for statement, parameters in asked(desk):
            assert_found_by_index(connection, statement, parameters)


def asked(desk: Desk) -> list[tuple[str, Any]]:
    """Return what some pages ask of the table of messages, as it reaches the driver."""
    said: list[tuple[str, Any]] = []

    engine = desk.site.db.engine

    @event.listens_for(engine, "before_cursor_execute")
    def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        if "FROM notify_message" in statement:
            said.append((statement, parameters))

    first = desk.page()
    assert first.older
    second = desk.page(first.older)
    desk.page(second.newer)
    desk.page(Place("older", True, NOON + 150, NOON + 300))
    desk.page(seen=False, type="system")
    with desk.site.app.app_context():
        newest_unseen(desk.site.db.session(), desk.site.notify.models, desk.key, 5)
        read_all(desk.site.db.session(), desk.site.notify.models, desk.key, None, 20)
    event.remove(engine, "before_cursor_execute", note)
    assert len(said) >= 7
    return said


def assert_found_by_index(connection: Any, statement: str, parameters: Any) -> None:
    plan = explain(connection, statement, parameters)
    index = "uq_notify_message_recipient_id_cursor_id"
    if connection.dialect.name == "sqlite":
        # SQLite has a name of its own for the index of a constraint.
        assert [step for step in plan if " USING INDEX " in step and "(recipient_id=?" in step], plan
        assert not [step for step in plan if "TEMP B-TREE" in step], plan
    elif connection.dialect.name == "postgresql":
        found = [node for node in nodes(plan) if "Node Type" in node]
        assert index in [node.get("Index Name") for node in found], plan
        # It may gather the few rows of one recipient first, and sort those.
        assert "Seq Scan" not in [node["Node Type"] for node in found], plan
    else:
        tables = [node for node in nodes(plan) if "access_type" in node]
        assert [table["key"] for table in tables] == [index], plan
        assert "filesort" not in str(plan), plan
