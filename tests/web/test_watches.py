"""``POST /watches`` and its button: a recipient's own watches of what they may see, with and without a script."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from types import new_class
from typing import Any

import pytest
from flask import Response, render_template_string, request
from sqlalchemy import String, event, select

from flask_notify import WatchableMixin
from flask_notify.errors import InvalidWatch
from tests.apps import Site
from tests.web.letterbox import JSON, hidden, post, post_json, token

pytestmark = pytest.mark.databases("sqlite")
every_database = pytest.mark.databases("sqlite", "postgresql", "mariadb")

LIST = "{% for thing in things %}{{ notify_watch(thing, label=thing.title, modes=modes) }}{% endfor %}"


@dataclass
class Board:
    """A site with posts and pages to watch, of which some are hidden, and with a page that shows them."""

    site: Site
    Post: Any
    Page: Any
    Note: Any
    statements: list[str]

    def add(self, kind: str = "Post", **values: Any) -> str:
        """Store an object, and return its key as text."""
        with self.site.app.app_context():
            made = getattr(self, kind)(**values)
            self.site.db.session.add(made)
            self.site.db.session.commit()
            return str(made.id)

    def rows(self) -> list[tuple[Any, ...]]:
        """Return all watches."""
        watch = self.site.notify.models.watch.c
        columns = (watch.recipient_id, watch.target_type, watch.target_id, watch.mail_mode)
        with self.site.app.app_context():
            return [tuple(row) for row in self.site.db.session.execute(select(*columns).order_by(*columns[:3]))]

    def page(self, client: Any, modes: str = "") -> str:
        """Return the page with a button for each post."""
        return str(client.get("/posts", query_string={"modes": modes}).text)


@pytest.fixture
def board(build: Callable[..., Site]) -> Board:
    """An application with what can be watched, and one thing that cannot."""
    site, statements = build(), list[str]()
    Post = make_model(site, "Post", site.db.Integer)
    Page = make_model(site, "Page", String(64))
    Note = make_model(site, "Note", site.db.Integer, watchable=False)
    site.create_tables()

    @site.app.get("/posts")
    def posts() -> Response:
        things = list(site.db.session.scalars(select(Post).order_by(Post.id)))
        statements.clear()
        return Response(render_template_string(LIST, things=things, modes=bool(request.args.get("modes"))))

    with site.app.app_context():
        event.listen(site.db.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    return Board(site, Post, Page, Note, statements)


def make_model(site: Site, name: str, key: Any, *, watchable: bool = True) -> Any:
    """Return a model whose hidden objects are seen by their owner alone."""

    def visible_to(cls: Any, recipient: Any, ids: Collection[Any]) -> list[Any]:
        mine = cls.hidden.is_(False) | (cls.owner == recipient.name)
        return list(site.db.session.scalars(select(cls.id).where(cls.id.in_(ids), mine)))

    columns = {
        "__tablename__": name.lower(),
        "id": site.db.Column(key, primary_key=True),
        "title": site.db.Column(String(64)),
        "owner": site.db.Column(String(64)),
        "hidden": site.db.Column(site.db.Boolean, default=False, nullable=False),
        "visible_to": classmethod(visible_to),
    }
    bases = (WatchableMixin, site.db.Model) if watchable else (site.db.Model,)
    return new_class(name, bases, exec_body=lambda body: body.update(columns))


@pytest.fixture
def ann(board: Board) -> Any:
    """The key of a recipient."""
    return board.site.add_user("ann")


def named(key: str, kind: str = "Post", **fields: str) -> dict[str, str]:
    return {"target_type": kind, "target_id": key, **fields}


def button(html: str) -> tuple[str, str]:
    """Return what the button of a page says, and whether it is pressed."""
    [found] = re.findall(r'<button class="notify-button notify-watch-button".*? aria-pressed="(.*?)".*?>(\w+)', html)
    return found[1], found[0]


@every_database
def test_a_form_post_watches_and_leads_back_with_a_word(board: Board, ann: Any) -> None:
    key, client = board.add(title="News"), board.site.client(ann)

    answer = post(client, "/watches", named(key, next="/posts?page=2"))

    assert (answer.status_code, answer.location) == (303, "/posts?page=2")
    assert board.rows() == [(ann, "Post", key, None)]
    assert "You watch this" in client.get("/messages").text
    assert button(board.page(client)) == ("Watching", "true")


@every_database
def test_a_form_post_stops_watching(board: Board, ann: Any) -> None:
    key, client = board.add(), board.site.client(ann)
    post(client, "/watches", named(key, mode="daily"))
    assert [row[3] for row in board.rows()] == ["daily"]

    answer = post(client, "/watches/remove", named(key))

    assert (answer.status_code, answer.location) == (303, "/messages")
    assert board.rows() == []
    assert button(board.page(client)) == ("Watch", "false")


def test_what_is_so_already_stays_as_it_is(board: Board, ann: Any) -> None:
    key, client = board.add(), board.site.client(ann)

    for path, there in (("/watches/remove", 0), ("/watches", 1), ("/watches", 1), ("/watches/remove", 0)):
        assert post_json(client, path, named(key)).status_code == 200
        assert len(board.rows()) == there


def test_the_buttons_own_fields_are_all_that_is_needed(board: Board, ann: Any) -> None:
    key, client = board.add(), board.site.client(ann)
    for expected in ("Watching", "Watch"):
        html = board.page(client)
        [form] = re.findall(r"<form .*?</form>", html, re.DOTALL)
        [path] = re.findall(r'action="([^"]+)"', form)
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form))

        answer = client.post(path, data=fields)

        assert (answer.status_code, answer.location) == (303, "/posts?modes=")
        assert button(board.page(client))[0] == expected
    assert board.add() != key


@every_database
def test_a_mode_is_chosen_changed_and_taken_back(board: Board, ann: Any) -> None:
    key, client = board.add(), board.site.client(ann)

    for given, stored in (
        ({"mode": "weekly"}, "weekly"),
        ({}, "weekly"),
        ({"mode": "never"}, "never"),
        ({"mode": ""}, None),
    ):
        assert post_json(client, "/watches", named(key, **given)).status_code == 200
        assert board.rows() == [(ann, "Post", key, stored)]


def test_an_object_is_muted_and_the_button_takes_that_back(board: Board, ann: Any) -> None:
    key, client = board.add(), board.site.client(ann)

    answer = post_json(client, "/watches", named(key, mode="silent"))

    assert answer.json["message"] == "You will hear nothing of this."
    assert board.rows() == [(ann, "Post", key, "silent")]
    assert button(board.page(client)) == ("Muted", "true")
    assert post_json(client, "/watches/remove", named(key)).json["message"] == "You do not watch this any more."
    assert board.rows() == []


def test_the_script_is_given_the_button_anew(board: Board, ann: Any) -> None:
    key, client = board.add(title="<b>"), board.site.client(ann)
    page = board.page(client, modes="yes")

    answer = post_json(client, "/watches", named(key, label="<b>", modes="1", next="/posts?modes=yes", mode="daily"))

    assert answer.status_code == 200
    assert set(answer.json) == {"success", "message", "html"}
    assert answer.json["success"] is True
    [(element, html)] = answer.json["html"].items()
    assert element == f"notify-watch-Post-{key}"
    assert f'<div class="notify-watch" id="{element}">' in page
    assert without_tokens(html).replace(" open>", ">") == without_tokens(board.page(client, modes="yes"))
    assert '<details class="notify-watch-modes" open>' in html, "what was chosen there has the focus"
    assert '<option value="daily" selected>' in html
    assert "<b>" not in html
    assert "no-store" in answer.headers["Cache-Control"]


def without_tokens(html: str) -> str:
    return re.sub(r'name="csrf_token" value="[^"]+"', "", html)


@pytest.mark.parametrize("path", ["/watches", "/watches/remove"])
def test_without_a_token_nothing_changes(board: Board, ann: Any, path: str) -> None:
    key, client = board.add(), board.site.client(ann)
    post(client, "/watches", named(board.add()))
    before = board.rows()

    assert client.post(path, data=named(key), headers=JSON).status_code == 400
    assert client.post(path, data={"csrf_token": "x", **named(key)}).status_code == 400
    assert client.get(path, query_string=named(key)).status_code == 405

    assert board.rows() == before


def test_a_page_that_was_made_for_another_account_changes_nothing(board: Board, ann: Any) -> None:
    key, bob = board.add(), board.site.add_user("bob")
    html = board.page(board.site.client(bob))
    [theirs, *_] = hidden(html, "notify_user")

    answer = post_json(board.site.client(ann), "/watches", named(key, notify_user=theirs))

    assert answer.status_code == 409
    assert board.rows() == []


def test_nobody_changes_what_another_watches(board: Board, ann: Any) -> None:
    key, bob = board.add(), board.site.add_user("bob")
    post(board.site.client(bob), "/watches", named(key, mode="daily"))

    client = board.site.client(ann)
    post(client, "/watches", named(key, mode="silent", recipient_id=str(bob), user=str(bob)))
    post(client, "/watches/remove", named(key))

    assert board.rows() == [(bob, "Post", key, "daily")]


def test_who_is_not_logged_in_watches_nothing_and_sees_no_button(board: Board) -> None:
    key, client = board.add(), board.site.client()

    assert client.post("/watches", data=named(key), headers=JSON).status_code == 401
    assert client.post("/watches", data=named(key)).status_code == 303
    assert board.rows() == []
    assert board.page(client) == ""


@every_database
@pytest.mark.parametrize(
    "what",
    [
        {},
        {"target_type": "Post"},
        {"target_id": "1"},
        {"target_type": "Post", "target_id": "4711"},
        {"target_type": "Post", "target_id": "x"},
        {"target_type": "Post", "target_id": "9" * 30},
        {"target_type": "Post", "target_id": "1\0"},
        {"target_type": "Page", "target_id": "a\0b"},
        {"target_type": "Page", "target_id": "x" * 5_000},
        {"target_type": "Page", "target_id": "\U0001f600'\"; DROP TABLE page"},
        {"target_type": "Nothing", "target_id": "1"},
        {"target_type": "User", "target_id": "1"},
        {"target_type": "NotifyInbox", "target_id": "1"},
        {"target_type": "Note", "target_id": "1"},
    ],
    ids=lambda what: str(what)[:40],
)
def test_what_is_no_watchable_object_is_not_found(board: Board, ann: Any, what: dict[str, str]) -> None:
    board.add(id=1)
    board.add("Note", id=1)
    client = board.site.client(ann)

    for path in ("/watches", "/watches/remove"):
        answer = post_json(client, path, what)
        assert answer.status_code == 404
        assert "no such object" in answer.json["error"]
        assert post(client, path, what).status_code == 404

    assert board.rows() == []


def test_what_is_hidden_is_not_found_by_others(board: Board, ann: Any) -> None:
    key, bob = board.add(hidden=True, owner="ann"), board.site.add_user("bob")

    assert post_json(board.site.client(bob), "/watches", named(key)).status_code == 404
    assert board.rows() == []
    assert post_json(board.site.client(ann), "/watches", named(key)).status_code == 200
    assert board.rows() == [(ann, "Post", key, None)]


def test_an_unknown_mode_is_refused_with_the_list(board: Board, ann: Any) -> None:
    key, client = board.add(), board.site.client(ann)

    answer = post_json(client, "/watches", named(key, mode="hourly"))

    assert answer.status_code == 400
    assert "one of silent, never, often, daily, weekly" in answer.json["error"]
    assert board.rows() == []


def test_the_way_back_leads_nowhere_else(board: Board, ann: Any) -> None:
    key, client = board.add(), board.site.client(ann)

    for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        assert post(client, "/watches", named(key, next=elsewhere)).location == "/messages"


@every_database
def test_a_key_may_be_any_text(board: Board, ann: Any) -> None:
    key, client = board.add("Page", id="Übersicht <1> & 2"), board.site.client(ann)

    answer = post_json(client, "/watches", named(key, "Page"))

    assert board.rows() == [(ann, "Page", key, None)]
    assert set(answer.json["html"]) == {"notify-watch-Page-%C3%9Cbersicht%20%3C1%3E%20%26%202"}
    assert "&lt;1&gt; &amp; 2" in str(answer.json["html"])


def test_a_page_of_many_buttons_asks_once(board: Board, ann: Any) -> None:
    client = board.site.client(ann)
    keys = [board.add(title=f"number {number}") for number in range(50)]
    post(client, "/watches", named(keys[7]))

    html = board.page(client)

    asked = [statement for statement in board.statements if "notify_watch" in statement]
    assert len(asked) == 1
    assert html.count(">Watching<") == 1
    assert html.count(">Watch<") == 49
    assert [html.count(f'<span class="notify-visually-hidden"> number {number}</span>') for number in (7, 49)] == [1, 1]


def test_the_choice_of_modes_is_shown_only_where_it_is_wanted(board: Board, ann: Any) -> None:
    board.add()
    client = board.site.client(ann)

    assert "<select" not in board.page(client)
    chosen = re.findall(r'<option value="(\w*)"( selected)?>', board.page(client, modes="yes"))
    assert chosen == [("", " selected"), *((mode, "") for mode in ("often", "daily", "weekly", "never", "silent"))]


def test_the_button_says_what_it_is_for(board: Board, ann: Any) -> None:
    board.add("Note")

    @board.site.app.get("/note")
    def note() -> str:
        return render_template_string("{{ notify_watch(note) }}", note=board.site.db.session.get(board.Note, 1))

    client = board.site.client(ann)
    with pytest.raises(InvalidWatch, match=r"with WatchableMixin, got .*class Note\(WatchableMixin, db.Model\)"):
        client.get("/note")


def test_a_token_in_a_header_will_do(board: Board, ann: Any) -> None:
    key, client = board.add(), board.site.client(ann)

    answer = client.post("/watches", data=named(key), headers={"X-CSRFToken": token(client), **JSON})

    assert answer.status_code == 200
    assert board.rows() == [(ann, "Post", key, None)]


# The list on the page of preferences


@every_database
def test_what_is_muted_is_listed_and_can_be_heard_of_again(board: Board, ann: Any) -> None:
    bob = board.site.add_user("bob")
    board.Post.__str__ = lambda post: post.title
    loud, quiet = board.add(title="Loud <b>post</b>"), board.add(title="Quiet post")
    for user in (ann, bob):
        for key in (loud, quiet):
            post(board.site.client(user), "/watches", named(key, mode="silent"))
    client = board.site.client(ann)
    html = client.get("/preferences").text
    assert "Loud &lt;b&gt;post" in html

    answer = post(client, "/preferences", {"unmute": f"Post {loud}", "desktop": "y", "widget_shown": "y"})

    assert answer.status_code == 303
    kept = [(ann, "Post", quiet, "silent"), (bob, "Post", loud, "silent"), (bob, "Post", quiet, "silent")]
    assert board.rows() == kept


def test_what_one_may_no_longer_see_is_not_named(board: Board, ann: Any) -> None:
    board.Post.__str__ = lambda post: post.title
    key, client = board.add(title="Secret plan"), board.site.client(ann)
    post(client, "/watches", named(key, mode="silent"))
    assert "Secret plan" in client.get("/preferences").text

    with board.site.app.app_context():
        board.site.db.session.get_one(board.Post, int(key)).hidden = True
        board.site.db.session.commit()

    assert "Secret plan" not in client.get("/preferences").text
    assert post(client, "/preferences", {"unmute": f"Post {key}"}).status_code == 303
    assert board.rows() == [(ann, "Post", key, "silent")]
