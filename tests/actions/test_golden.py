"""One and the same request as text, as HTML and as JSON, beside documents that show what is expected (row F7).

``GOLDEN=write`` writes the documents anew: read what has changed in them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

from flask_notify import ActionRequest
from flask_notify.actions.renderers import HtmlRenderer, JsonRenderer, Renderer, TextRenderer
from tests.actions.salon import Salon, fill, make_salon
from tests.apps import Site

GOLDEN = Path(__file__).parent / "golden"

STORY: dict[str, Callable[[ActionRequest, Salon], Any]] = {
    "All threads": lambda ar, salon: ar.show(salon.Thread),
    "Columns that are named, one of them reached through another": lambda ar, salon: ar.show(
        salon.Thread, "title author.name length stars", header_level=2, title="How threads go"
    ),
    "A column that a function makes": lambda ar, salon: ar.show(
        salon.Thread, ["title", ("Begins with", lambda thread: thread.title[:3]), shouted]
    ),
    "No more than one": lambda ar, salon: ar.show(salon.Thread, "id title", limit=1),
    "The posts of a thread, without the thread": lambda ar, salon: ar.show(
        salon.Post, master_instance=salon.session.get(salon.Thread, 1)
    ),
    "A collection": lambda ar, salon: ar.show(salon.session.get(salon.Thread, 1).posts, ["text", "author"]),
    "With links": lambda ar, salon: ar.show(salon.Post, "text thread", show_links=True),
    "As a list": lambda ar, salon: ar.show(salon.Thread, display_mode="list", header_level=4, show_links=True),
    "As a summary": lambda ar, salon: ar.show(salon.Thread, display_mode="summary", limit=2),
    "Nothing": lambda ar, salon: ar.show(salon.Thread, known_values={"title": "Milk"}),
    "Nothing, in other words": lambda ar, _salon: ar.show([], no_data_text="Nobody has written <yet>."),
    "A pointer to an object": lambda ar, salon: ar.obj2html(salon.session.get(salon.Thread, 1), title="Read it"),
    "The same as text": lambda ar, salon: ar.obj2str(salon.session.get(salon.Thread, 1)),
    "A record": lambda ar, salon: ar.data_record(salon.session.get(salon.Thread, 2), navinfo=True),
    "A button": lambda ar, salon: ar.action_button("close_thread", salon.session.get(salon.Thread, 1)),
    "A button that one may not use": lambda ar, salon: ar.action_button(
        salon.CloseThread, salon.session.get(salon.Thread, 2)
    ),
    "A button without a row": lambda ar, salon: ar.action_button(salon.Announce, label="Tell all"),
    "Buttons in a table": lambda ar, salon: ar.show(
        salon.Thread, ["id", ("What to do", lambda thread: ar.action_button(salon.CloseThread, thread))]
    ),
}


def shouted(thread: Any) -> str:
    """Return a title in capitals."""
    return str(thread.title).upper()


@pytest.fixture
def salon(build: Callable[..., Site]) -> Iterator[Salon]:
    """A salon with three threads, in the application context of the test."""
    site = build(NOTIFY_BASE_URL="https://example.org")
    with site.app.app_context():
        salon = make_salon(site)
        fill(salon)
        salon.session.expunge_all()
        yield salon


def tell(salon: Salon, renderer: Renderer) -> Iterator[tuple[str, Any]]:
    """Yield each part of the story, as a mail to a user has it."""
    for title, part in STORY.items():
        salon.session.expunge_all()
        ar = salon.ask("ann", renderer=renderer, permalink_uris=True)
        yield title, part(ar, salon)


def compare(name: str, document: str) -> None:
    """Hold a document against the one that is expected."""
    path = GOLDEN / name
    if os.environ.get("GOLDEN") == "write":
        path.write_text(document)
    assert document == path.read_text()


def test_as_text(salon: Salon) -> None:
    parts = [f"{title}::\n\n{_as_text(told)}" for title, told in tell(salon, TextRenderer())]

    compare("salon.txt", "\n".join(parts))


def _as_text(told: Any) -> str:
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n" if isinstance(told, dict) else told.rstrip("\n") + "\n"


def test_as_html(salon: Salon) -> None:
    parts = [
        f"<!-- {title} -->\n{told if isinstance(told, Markup) else Markup('<pre>{}</pre>').format(_as_text(told))}"
        for title, told in tell(salon, HtmlRenderer())
    ]

    compare("salon.html", "\n\n".join(part.strip() for part in parts) + "\n")


def test_as_json(salon: Salon) -> None:
    parts = dict(tell(salon, JsonRenderer()))

    compare("salon.json", json.dumps(parts, indent=2, ensure_ascii=False) + "\n")
