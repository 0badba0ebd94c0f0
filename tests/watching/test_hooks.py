"""What a model may decide of what is told of it (row E2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
from flask_babel import Babel
from markupsafe import Markup
from sqlalchemy import select

from flask_notify.database_clock import DatabaseClock
from flask_notify.errors import ConfigurationError, InvalidMessage
from flask_notify.leases import SCHEDULER
from flask_notify.messages.message_types import Changed
from tests.apps import Site
from tests.watching.board import Board, make_board


class PostChanged(Changed):
    """A type of the application's own."""

    label = "Posts"

    @classmethod
    def allowed(cls, recipient: Any) -> bool:
        return bool(recipient.name != "cem")


@pytest.fixture
def hook(board: Board, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Override hooks of the posts, by plain values or functions."""

    def override(**hooks: Any) -> None:
        for name, made in hooks.items():
            monkeypatch.setattr(board.Post, name, made if callable(made) else lambda *_, made=made: made)

    return override


def change(board: Board, post: Any) -> None:
    with board.site.notify.acting_as(board.ann):
        post.title = "B"
        board.session.commit()


def test_the_subject_is_the_models_and_knows_who_did_what(board: Board, post: Any, hook: Callable[..., None]) -> None:
    def get_change_subject(self: Any, doer: Any, change: Any) -> str:
        (field,) = change.fields
        return f"{doer.name} {change.kind} {self.title}: {field.name} {field.old!r} {field.new!r} {field.text_new}"

    hook(get_change_subject=get_change_subject)
    change(board, post)

    assert board.told("bob") == ["ann modified B: title 'Plan' 'B' B"]


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_subject_suppresses(board: Board, post: Any, hook: Callable[..., None], nothing: Any) -> None:
    hook(get_change_subject=nothing)
    change(board, post)

    assert board.told("bob") == []


def test_no_type_suppresses(board: Board, post: Any, hook: Callable[..., None]) -> None:
    hook(get_notify_message_type=None)
    change(board, post)
    board.session.delete(post)
    board.session.commit()

    assert board.told("bob") == []
    assert board.session.scalars(select(board.site.notify.Watch)).all() == []


def test_a_type_of_ones_own_has_its_label_and_its_rules(board: Board, post: Any, hook: Callable[..., None]) -> None:
    board.site.notify.message_type(PostChanged)
    hook(get_notify_message_type="post_changed")
    change(board, post)

    assert [message.type for message in board.messages("bob")] == ["post_changed"]
    assert board.told("cem") == []
    assert "Posts" in board.site.client(board.keys["bob"]).get("/messages").text


def test_a_type_that_is_none_of_changes_is_refused(board: Board, post: Any, hook: Callable[..., None]) -> None:
    hook(get_notify_message_type="system")

    with pytest.raises(InvalidMessage, match="subclass of"):
        change(board, post)


def test_a_type_of_changes_cannot_be_sent_without_one(board: Board) -> None:
    with pytest.raises(InvalidMessage, match="WatchableMixin"):
        board.site.notify.send(Changed(kind="modified", changed=[]), to=board.bob)


@pytest.mark.parametrize(
    "body, stored",
    [
        ("plain <b>", "plain <b>"),
        (Markup("<b>rich</b><script>x</script>"), "<b>rich</b>"),
        (None, None),
    ],
)
def test_the_body_is_the_models(board: Board, post: Any, hook: Callable[..., None], body: Any, stored: Any) -> None:
    hook(get_change_body=body)
    change(board, post)

    assert board.messages("bob")[0].body == stored


def test_the_lines_of_the_summary_are_the_models_and_escaped_unless_they_are_markup(
    board: Board, post: Any, hook: Callable[..., None]
) -> None:
    hook(get_change_info=["1 < 2", Markup("<b>bold</b>")])
    change(board, post)

    assert board.messages("bob")[0].body.endswith("<ul><li>1 &lt; 2</li><li><b>bold</b></li></ul>")


@pytest.mark.parametrize(
    "observers, mode",
    [
        (lambda user: [user, None], "often"),
        (lambda user: [(user, "weekly"), user], "weekly"),
        (lambda user: iter([user]), "often"),
    ],
)
def test_observers_are_users_or_pairs(
    board: Board, post: Any, hook: Callable[..., None], observers: Any, mode: str
) -> None:
    hook(get_change_observers=lambda _: observers(board.cem))
    change(board, post)

    assert (board.told("bob"), [message.mail_mode for message in board.messages("cem")]) == ([], [mode])


def test_observers_may_be_a_query(board: Board, post: Any, hook: Callable[..., None]) -> None:
    User = board.site.User
    hook(get_change_observers=lambda _: select(User.id).where(User.name != "bob"))
    change(board, post)

    assert (board.told("ann"), board.told("bob"), board.told("cem")) == ([], [], ["ann modified B"])


def test_observers_may_add_to_the_watchers(board: Board, post: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    default = board.Post.get_change_observers
    monkeypatch.setattr(board.Post, "get_change_observers", lambda self: [*default(self), board.ann])
    post.title = "B"
    board.session.commit()

    assert [board.told(name) for name in ("ann", "bob", "cem")] == [["B was modified"]] * 3


def test_a_hook_that_fails_fails_the_commit_and_leaves_nothing(
    board: Board, post: Any, hook: Callable[..., None]
) -> None:
    def get_change_subject(*_: object) -> str:
        raise ValueError("no words")

    hook(get_change_subject=get_change_subject)
    with pytest.raises(ValueError, match="no words"):
        change(board, post)
    board.session.rollback()

    assert (post.title, board.told("bob")) == ("Plan", [])


def test_a_hook_that_changes_the_object_is_heard_of_in_the_same_commit(
    board: Board, post: Any, hook: Callable[..., None]
) -> None:
    def get_notify_message_type(self: Any) -> str:
        self.views = 1
        return "change"

    hook(get_notify_message_type=get_notify_message_type)
    change(board, post)

    (message,) = board.messages("bob")
    assert (message.count, board.lines("bob")) == (2, ["views: 0 → 1"])


@pytest.mark.parametrize(
    "watch, complaint",
    [
        (("titel",), "must name mapped attributes"),
        ("title", "must be names of attributes"),
        (("every_comment",), "collections that are loaded as a whole"),
    ],
)
def test_a_watch_that_cannot_be_is_refused_with_its_remedy(
    build: Callable[..., Site], watch: Any, complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        make_board(build, watch=watch)


@pytest.fixture
def crowded(build: Callable[..., Site]) -> Iterator[Board]:
    """A board, in its context, where two watchers are many; with a post that all watch, and a scheduler."""
    board = make_board(build, NOTIFY_INLINE_RECIPIENTS=1, BABEL_DEFAULT_LOCALE="en")
    Babel(board.site.app)
    with board.site.app.app_context():
        now = DatabaseClock()
        lease = board.site.notify.models.lease
        row = {"role": SCHEDULER, "owner": "a test", "until": now, "renewed_at": now}
        board.session.execute(lease.insert().values(row))
        post = board.Post(title="Plan")
        board.session.add(post)
        board.session.commit()
        for person in (board.ann, board.bob, board.cem):
            post.watch(person)
        board.session.commit()
        yield board


def test_more_watchers_than_one_transaction_should_lock_are_told_afterwards(crowded: Board) -> None:
    board, post = crowded, crowded.session.get_one(crowded.Post, 1)
    change(board, post)
    assert board.told("bob") == []
    post.title = "told as it was"
    board.session.rollback()

    board.site.notify.drain()

    assert (board.told("ann"), board.told("bob"), board.told("cem")) == ([], ["ann modified B"], ["ann modified B"])
    assert board.lines("bob") == ["title: Plan → B"]
    assert board.messages("bob")[0].data == {"kind": "modified", "changed": ["title"]}


def test_those_who_are_told_afterwards_read_it_in_their_own_language(crowded: Board) -> None:
    board, post = crowded, crowded.session.get_one(crowded.Post, 1)
    board.cem.set_notify_preferences(locale="de", timezone="Europe/Berlin")
    board.session.commit()
    post.due = date(2026, 12, 24)
    board.session.commit()
    board.ann.set_notify_preferences(locale="fr")  # since
    board.session.commit()

    board.site.notify.drain()

    assert [board.lines(name) for name in ("bob", "cem")] == [["due: — → Dec 24, 2026"], ["due: — → 24.12.2026"]]
    assert board.lines("ann")[0].startswith("due: — → ")


def test_a_query_for_many_observers_is_told_afterwards_too(crowded: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    board, post = crowded, crowded.session.get_one(crowded.Post, 1)
    User = board.site.User
    monkeypatch.setattr(board.Post, "get_change_observers", lambda _: select(User).where(User.name != "bob"))
    change(board, post)
    board.site.notify.drain()

    assert (board.told("ann"), board.told("bob"), board.told("cem")) == ([], [], ["ann modified B"])


def test_a_rolled_back_change_is_not_told_afterwards_either(crowded: Board) -> None:
    board, post = crowded, crowded.session.get_one(crowded.Post, 1)
    post.title = "B"
    board.session.flush()
    board.session.rollback()

    assert board.site.notify.drain() == 0
