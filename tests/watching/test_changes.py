"""Whoever watches an object is told what has become of it, when that is committed (rows E1 and E3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from flask_notify import WatchableMixin
from tests.apps import Site
from tests.concurrency.messages import check_counts
from tests.watching.board import Board


def test_a_change_is_told_with_its_commit_and_a_summary(board: Board, post: Any) -> None:
    with board.site.notify.acting_as(board.ann):
        post.title = "Plan B"
        board.session.flush()
        assert board.told("bob") == []
        board.session.commit()

    (message,) = board.messages("bob")
    assert (message.type, message.subject, message.url) == ("change", "ann modified Plan B", f"/posts/{post.id}")
    assert message.body == "<p>Plan B has been modified by ann:</p><ul><li>title: Plan → Plan B</li></ul>"
    assert message.data == {"kind": "modified", "changed": ["title"]}
    assert (message.target_type, message.target_id, message.sender) == ("Post", str(post.id), board.ann)
    assert board.told("cem") == ["ann modified Plan B"]
    assert board.told("ann") == []
    check_counts(board.site)


def test_without_a_doer_it_reads_well(board: Board, post: Any) -> None:
    post.title = "Plan B"
    board.session.commit()

    assert board.told("bob") == ["Plan B was modified"]
    assert board.messages("bob")[0].body.startswith("<p>Plan B has been modified:</p>")


def test_the_doer_is_not_told_of_their_own_doing(board: Board, post: Any) -> None:
    with board.site.notify.acting_as(board.bob):
        post.title = "Plan B"
        board.session.commit()

    assert (board.told("bob"), board.told("cem")) == ([], ["bob modified Plan B"])


def test_who_wants_to_be_told_of_their_own_doing_is(board: Board, post: Any) -> None:
    board.bob.set_notify_preferences(notify_myself=True)
    board.session.commit()
    with board.site.notify.acting_as(board.bob):
        post.title = "Plan B"
        board.session.commit()

    assert board.told("bob") == ["bob modified Plan B"]


def test_a_doer_who_has_stopped_acting_before_the_commit_is_still_the_doer(board: Board, post: Any) -> None:
    with board.site.notify.acting_as(board.bob):
        post.title = "Plan B"
        board.session.flush()
    board.session.commit()

    assert (board.told("bob"), board.told("cem")) == ([], ["bob modified Plan B"])


def test_several_flushes_make_one_summary_of_first_old_and_last_new(board: Board, post: Any) -> None:
    for title in ("A", "B", "C"):
        post.title = title
        board.session.flush()
    post.priority = 2
    board.session.commit()

    assert board.lines("bob") == ["title: Plan → C", "Urgency: — → high"]
    assert board.messages("bob")[0].count == 1


def test_what_is_undone_in_the_same_transaction_sends_nothing(board: Board, post: Any) -> None:
    post.title = "Plan B"
    board.session.flush()
    post.title = "Plan"
    board.session.commit()

    assert board.told("bob") == []


def test_what_does_not_really_change_sends_nothing(board: Board, post: Any) -> None:
    post.title = "Plan"
    post.views = "0"
    board.session.commit()

    assert board.told("bob") == []


def test_a_rollback_tells_nothing(board: Board, post: Any) -> None:
    post.title = "Plan B"
    board.session.flush()
    board.session.rollback()
    board.session.commit()

    assert board.told("bob") == []


def test_what_a_savepoint_has_changed_is_told_if_it_is_released(board: Board, post: Any) -> None:
    with board.session.begin_nested():
        post.title = "kept"
    savepoint = board.session.begin_nested()
    post.body = "dropped"
    board.session.flush()
    savepoint.rollback()
    board.session.commit()

    assert board.lines("bob") == ["title: Plan → kept"]


def test_a_change_that_a_savepoint_takes_back_leaves_the_one_before_it(board: Board, post: Any) -> None:
    post.title = "outer"
    board.session.flush()
    savepoint = board.session.begin_nested()
    post.title = "inner"
    board.session.flush()
    savepoint.rollback()
    board.session.commit()

    assert board.lines("bob") == ["title: Plan → outer"]


def test_one_message_per_watcher_and_object_while_it_is_unseen(board: Board, post: Any) -> None:
    for title in ("A", "B", "C"):
        post.title = title
        board.session.commit()

    (message,) = board.messages("bob")
    assert (message.subject, message.count, board.bob.unread_message_count) == ("C was modified", 3, 1)
    assert board.lines("bob") == ["title: B → C"]
    board.bob.mark_all_seen()
    board.session.commit()
    post.title = "D"
    board.session.commit()
    assert board.told("bob") == ["C was modified", "D was modified"]
    check_counts(board.site)


def test_a_creation_is_told_to_the_watchers_of_the_owner(board: Board, post: Any) -> None:
    with board.site.notify.acting_as(board.cem):
        board.session.add(board.Comment(text="Hm", post=post))
        board.session.commit()

    (message,) = board.messages("bob")
    assert (message.subject, message.body) == ("cem created A comment on Plan", None)
    assert (message.target_type, message.target_id) == ("Post", str(post.id))
    assert board.told("cem") == []


def test_what_is_created_and_changed_at_once_was_created(board: Board, post: Any) -> None:
    comment = board.Comment(text="Hm", post=post)
    board.session.add(comment)
    board.session.flush()
    comment.text = "Hm!"
    board.session.commit()

    assert board.told("bob") == ["A comment on Plan was created"]


def test_what_is_created_and_deleted_at_once_never_was(board: Board, post: Any) -> None:
    comment = board.Comment(text="Hm", post=post)
    board.session.add(comment)
    board.session.flush()
    board.session.delete(comment)
    board.session.commit()

    assert board.told("bob") == []


def test_the_creator_who_watches_at_once_hears_of_later_changes_only(board: Board) -> None:
    with board.site.notify.acting_as(board.ann):
        made = board.Post(title="New")
        board.session.add(made)
        made.watch(board.ann)
        made.watch(board.bob)
        board.session.commit()
    assert (board.told("ann"), board.told("bob")) == ([], ["ann created New"])

    made.title = "Newer"
    board.session.commit()
    assert board.told("ann") == ["Newer was modified"]


def test_a_deletion_is_told_and_its_page_survives(board: Board, post: Any) -> None:
    with board.site.notify.acting_as(board.ann):
        board.session.delete(post)
        board.session.commit()

    (message,) = board.messages("bob")
    assert (message.subject, message.url, message.data["kind"]) == ("ann deleted Plan", None, "deleted")
    client = board.site.client(board.keys["bob"])
    assert "ann deleted Plan" in client.get(f"/messages/{message.id}").text
    assert "ann deleted Plan" in client.get("/messages").text
    Watch: Any = board.site.notify.Watch
    assert board.session.query(Watch).count() == 0


def test_a_deletion_that_is_rolled_back_keeps_the_watchers(board: Board, post: Any) -> None:
    board.session.delete(post)
    board.session.flush()
    board.session.rollback()
    board.session.commit()

    assert board.told("bob") == []
    assert {user.name for user in post.watchers} == {"bob", "cem"}


def test_who_watches_in_the_same_transaction_is_told_and_who_stops_is_not(board: Board, post: Any) -> None:
    post.unwatch(board.bob)
    post.watch(board.ann)
    post.mute(board.cem)
    post.title = "Plan B"
    board.session.commit()

    assert (board.told("ann"), board.told("bob"), board.told("cem")) == (["Plan B was modified"], [], [])


def test_who_has_muted_an_object_hears_nothing_of_it_from_the_owner_either(board: Board, post: Any) -> None:
    comment = board.Comment(text="Hm", post=post)
    board.session.add(comment)
    comment.mute(board.bob)
    board.session.commit()

    assert (board.told("bob"), board.told("cem")) == ([], ["A comment on Plan was created"])


@pytest.mark.parametrize("mode", ["never", "weekly"])
def test_the_mode_of_the_watch_decides_on_the_mail(board: Board, post: Any, mode: str) -> None:
    post.watch(board.bob, mode)
    board.session.commit()
    post.title = "Plan B"
    board.session.commit()

    assert (board.messages("bob")[0].mail_mode, board.messages("bob")[0].rule) == (mode, "own for watch")


def test_the_mode_for_a_part_holds_for_what_is_told_of_it_as_the_owners(board: Board, post: Any) -> None:
    comment = board.Comment(text="Hm", post=post)
    board.session.add(comment)
    comment.watch(board.bob, "weekly")
    board.session.commit()
    (message,) = board.messages("bob")

    assert (message.target_type, message.mail_mode) == ("Post", "weekly")
    assert board.told("cem") == []  # it has watchers of its own


def test_several_parts_of_one_owner_are_one_message_that_counts_them(board: Board, post: Any) -> None:
    board.session.add_all([board.Comment(text=str(number), post=post) for number in range(3)])
    board.session.commit()

    (message,) = board.messages("bob")
    assert (message.count, board.bob.unread_message_count) == (3, 1)
    check_counts(board.site)


def test_a_part_that_is_deleted_is_told_to_the_watchers_of_its_owner(board: Board, post: Any) -> None:
    comment = board.Comment(text="Hm", post=post)
    board.session.add(comment)
    board.session.commit()
    board.bob.mark_all_seen()
    board.session.commit()
    key = comment.id
    board.session.expunge_all()
    board.session.delete(board.session.get_one(board.Comment, key))
    board.session.commit()

    assert board.told("bob")[1:] == ["A comment on Plan was deleted"]


def test_nobody_who_watches_costs_one_statement(board: Board, post: Any) -> None:
    board.session.execute(board.site.notify.models.watch.delete())
    board.session.commit()
    asked: list[str] = []
    post.author = board.cem
    board.session.flush()
    event.listen(board.site.db.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    board.session.commit()

    assert len(asked) == 1, asked


def test_users_can_be_watched_too(build: Callable[..., Site]) -> None:
    site = build(tables=False)

    class Person(WatchableMixin, site.User):  # type: ignore[misc, name-defined]
        __watch__ = ("name",)

    site.create_tables()
    with site.app.app_context():
        session = site.db.session
        ann, bob = Person(name="ann"), Person(name="bob")
        session.add_all([ann, bob])
        session.commit()
        ann.watch(bob)
        session.commit()
        ann.name = "Ann"
        session.commit()

        assert [message.subject for message in bob.messages_received] == ["Ann was modified"]


def test_recipients_choose_how_they_are_told_of_changes_as_of_any_type(board: Board, post: Any) -> None:
    assert "Changes" in board.site.client(board.keys["bob"]).get("/preferences").text
    board.bob.set_mail_mode("silent", type="change")
    board.session.commit()
    post.title = "B"
    board.session.commit()

    assert (board.told("bob"), board.told("cem")) == ([], ["B was modified"])


def test_who_deletes_their_own_account_has_still_done_it(board: Board, post: Any) -> None:
    ann = board.ann
    with board.site.notify.acting_as(ann):
        post.author = None
        post.title = "Orphan"
        board.session.delete(ann)
        board.session.commit()

    assert board.told("bob") == ["ann modified Orphan"]
    assert board.lines("bob") == ["title: Plan → Orphan", f"author: {board.keys['ann']} → —"]


def test_a_doer_of_whom_nothing_can_be_read_any_more_is_somebody(board: Board, post: Any) -> None:
    ann = board.ann
    board.session.expire(ann)
    board.session.expunge(ann)
    with board.site.notify.acting_as(ann):
        post.title = "B"
        board.session.commit()

    assert board.told("bob") == ["somebody modified B"]
