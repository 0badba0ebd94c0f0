"""The buttons of actions: forms that work without a script, disabled where one may not, and never HTML of data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from sqlalchemy import select

from flask_notify import Action, ActionRequest
from flask_notify.errors import ConfigurationError, UnknownAction
from tests.apps import Site
from tests.recording import recorded
from tests.servers import Database

from .board import Board
from .letterbox import post_json

if TYPE_CHECKING:
    from flask.testing import FlaskClient

pytestmark = pytest.mark.databases("sqlite")


def test_a_button_is_disabled_where_one_may_not(board: Board, site: Site, client: FlaskClient, lunch: int) -> None:
    board.add_thread(site.add_user("david"), "his")
    page = client.get("/board").text

    assert f'data-notify-button="close_thread {lunch}"' in page
    disabled = '<button class="notify-button" type="button" title="You may not do this." disabled>Close thread</button>'
    assert page.count(disabled) == 1
    assert page.count('form="notify-action-close_several" disabled') == 1
    assert 'title="Log in to do this." disabled>Vote' in site.client().get("/board").text


def test_permission_is_asked_once_for_a_button_and_costs_no_statement(
    board: Board, site: Site, database: Database, client: FlaskClient, ann: Any
) -> None:
    def statements() -> int:
        client.get("/board")
        with recorded(database, site) as said:
            assert client.get("/board").status_code == 200
        return len(said)

    few = statements()
    for number in range(50):
        board.add_thread(ann, f"thread {number}")

    assert statements() == few


def test_nothing_of_a_row_becomes_html(board: Board, client: FlaskClient, ann: Any) -> None:
    board.add_thread(ann, '"><script>alert(1)</script>')

    page = client.get("/board").text

    assert "<script>alert" not in page
    assert "Select &#34;&gt;&lt;script&gt;" in page


def test_a_string_key_is_escaped_in_a_button(site: Site, ann: Any) -> None:
    db = site.db

    class Note(db.Model):  # type: ignore[name-defined,misc]  # as Flask-SQLAlchemy has it
        id = db.Column(db.String(40), primary_key=True)

    @site.notify.action
    class Read(Action):
        """It only says so."""

        target = Note

        def permitted(self, ar: ActionRequest, note: Any) -> bool:  # noqa: ARG002
            return True

        def run(self, ar: ActionRequest, note: Any) -> None:
            ar.success(f"Read {note.id}")

    site.create_tables()
    key = 'a"b <c> & d/é'
    with site.app.test_request_context("/"):
        db.session.add(Note(id=key))
        db.session.commit()
    helper: Any = site.app.jinja_env.globals["notify_action"]
    site.app.add_url_rule("/notes", "notes", lambda: helper("read", db.session.scalar(select(Note))))
    client = site.client(ann)

    html = client.get("/notes").text

    assert 'name="row" value="a&#34;b &lt;c&gt; &amp; d/é"' in html
    assert post_json(client, "/actions/read", {"row": key}).json["message"] == f"Read {key}"


def test_a_button_without_its_row_is_a_mistake_that_is_told(site: Site, board: Board, ann: Any) -> None:
    app: Flask = board.site.app
    helper: Any = app.jinja_env.globals["notify_action"]
    for address, action in (("/one", "vote"), ("/two", "nothing")):
        app.add_url_rule(address, address, lambda action=action: helper(action))
    client = site.client(ann)

    with pytest.raises(ConfigurationError, match="got none"):
        client.get("/one")
    with pytest.raises(UnknownAction, match="close_thread"):
        client.get("/two")


def test_lino_s_name_gives_the_same_button(client: FlaskClient, lunch: int) -> None:
    page = client.get("/board").text

    assert f'data-notify-button="break_thread {lunch}">Report</button>' in page
    assert f'<a href="/threads/{lunch}">Lunch</a>' in page
