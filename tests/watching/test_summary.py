"""What the summary of a change says: by labels, by counts of lines, and never a secret."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from flask_babel import Babel
from sqlalchemy import event, select

from flask_notify.object_names import label_of
from tests.watching.board import Board, Colour, State, make_board


def change(board: Board, post: Any, **values: Any) -> list[str]:
    """Change a post, and return what bob reads of it."""
    for name, value in values.items():
        setattr(post, name, value)
    board.session.commit()
    return board.lines("bob")


def test_foreign_keys_read_as_what_they_refer_to(board: Board, post: Any) -> None:
    tags = [board.Tag(name="red"), board.Tag(name="blue")]
    board.session.add_all(tags)
    board.session.flush()

    assert change(board, post, author=board.bob, tag_id=tags[1].id) == ["author: ann → bob", "tag: — → blue"]


def test_a_foreign_key_to_what_is_gone_reads_as_the_key(board: Board, post: Any) -> None:
    tag = board.Tag(name="red")
    board.session.add(tag)
    board.session.flush()
    post.tag_id = tag.id
    board.session.commit()
    key = tag.id
    board.bob.mark_all_seen()
    post.tag_id = None
    board.session.delete(tag)
    board.session.commit()

    assert board.bodies("bob")[-1] == [f"tag: {key} → —"]


def test_enums_choices_and_booleans_read_as_their_labels(board: Board, post: Any) -> None:
    values = {"state": State.FINAL, "colour": Colour.BLUE, "priority": 1, "rank": "b", "closed": True}

    assert change(board, post, **values) == [
        "state: — → Final version",
        "colour: — → Blue",
        "Urgency: — → low",
        "rank: — → second",
        "closed: — → yes",
    ]


def test_dates_read_as_people_write_them(board: Board, post: Any) -> None:
    lines = change(board, post, due=date(2026, 12, 24), meets=datetime(2026, 12, 24, 18, 30))  # noqa: DTZ001

    assert lines == ["due: — → 24 December 2026", "meets: — → 24 December 2026, 18:30"]


@pytest.mark.parametrize(
    "new, line",
    [
        ("One line\nand\nthree more\nlines", "body: 3 lines added"),
        ("x" * 81, "body: 1 line changed"),
        ("Two\nlines", "body: 1 line changed, 1 added"),
        (None, "body: One line → —"),
    ],
)
def test_long_texts_read_as_counts_of_lines(board: Board, post: Any, new: str | None, line: str) -> None:
    assert change(board, post, body=new) == [line]


def test_lines_that_are_gone_are_counted(board: Board, post: Any) -> None:
    change(board, post, body="a\nb\nc\nd")
    board.bob.mark_all_seen()
    post.body = "a\nX\nd"
    board.session.commit()

    assert board.bodies("bob")[-1] == ["body: 1 line changed, 1 removed"]


def test_a_text_of_more_lines_than_are_worth_comparing_has_just_changed(board: Board, post: Any) -> None:
    assert change(board, post, body="\n" * 6_000) == ["body changed"]


def test_secrets_are_told_without_value_and_length(board: Board, post: Any) -> None:
    assert change(board, post, note="hunter2", password_hash="scrypt:1$x") == ["note changed", "password hash changed"]
    (message,) = board.messages("bob")
    assert "hunter2" not in f"{message.body}{message.data}{message.subject}"


def test_not_even_a_hook_is_given_a_secret(board: Board, post: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []

    def get_change_info(_self: Any, change: Any) -> list[str]:
        given.extend(change.fields)
        return []

    monkeypatch.setattr(board.Post, "get_change_info", get_change_info)
    change(board, post, note="hunter2", title="B")

    assert [(field.name, field.old, field.new) for field in given] == [("title", "Plan", "B"), ("note", None, None)]
    assert "hunter2" not in repr(given)


def test_what_stands_in_the_data_never_becomes_html(board: Board, post: Any) -> None:
    change(board, post, title="<script>alert(1)</script> & <b>bold</b>")

    (message,) = board.messages("bob")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;b&gt;bold&lt;/b&gt;" in message.body
    assert "<script>" not in message.body
    assert message.subject == "<script>alert(1)</script> & <b>bold</b> was modified"  # which is plain text
    assert "<script>alert" not in board.site.client(board.keys["bob"]).get("/messages").text


def test_json_and_other_values_are_shortened(board: Board, post: Any) -> None:
    (line,) = change(board, post, data={"x": "y" * 200})

    assert line.startswith('data: — → {"x": "yyy')
    assert line.endswith("…")
    assert len(line) == len("data: — → ") + 80


def test_timestamps_and_keys_are_not_told(board: Board, post: Any) -> None:
    before = post.updated_at
    assert change(board, post, title="B") == ["title: Plan → B"]
    assert post.updated_at != before


def test_the_old_value_is_known_also_if_it_was_expired_or_deferred(board: Board, post: Any) -> None:
    post.hidden = "before"
    board.session.commit()
    board.bob.mark_all_seen()
    board.session.commit()
    key = post.id
    board.session.expunge_all()
    found: Any = board.session.get(board.Post, key)
    board.session.expire(found)
    found.hidden = "after"
    found.title = "B"
    board.session.commit()

    assert board.bodies("bob")[-1] == ["title: Plan → B", "hidden: before → after"]


def test_a_value_that_the_database_works_out_is_told_as_it_came_out(board: Board, post: Any) -> None:
    post.views = board.Post.views + 41
    post.title = "B"
    board.session.commit()

    assert board.lines("bob") == ["title: Plan → B", "views: 0 → 41"]


def test_a_collection_is_told_by_what_was_put_in_and_taken_out(build: Any) -> None:
    board = make_board(build, watch=("tags", "author"))
    with board.site.app.app_context():
        red, blue, green = (board.Tag(name=name) for name in ("red", "blue", "green"))
        post = board.Post(title="Plan", author=board.ann)
        board.session.add(post)
        board.session.commit()
        post.watch(board.bob)
        post.tags = [red, blue]
        board.session.flush()
        post.tags.remove(blue)
        post.tags.append(green)
        post.title = "of which nothing is told"
        board.session.commit()
        assert board.lines("bob") == ["tags: added red, green"]

        board.bob.mark_all_seen()
        post.tags = [green]
        post.author = board.cem
        board.session.commit()
        assert board.bodies("bob")[-1] == ["tags: removed red", "author: ann → cem"]


def test_each_reads_it_in_their_own_language(build: Any) -> None:
    board = make_board(build, BABEL_DEFAULT_LOCALE="en")
    Babel(board.site.app)
    with board.site.app.app_context():
        board.cem.set_notify_preferences(locale="de", timezone="Europe/Berlin")
        post = board.Post(title="Plan")
        board.session.add(post)
        board.session.commit()
        post.watch(board.bob)
        post.watch(board.cem)
        board.session.commit()
        post.due = date(2026, 12, 24)
        board.session.commit()

        assert board.lines("bob") == ["due: — → Dec 24, 2026"]
        assert board.lines("cem") == ["due: — → 24.12.2026"]


def test_foreign_keys_of_many_changes_are_read_in_one_statement_per_model(board: Board) -> None:
    tags = [board.Tag(name=f"tag {number}") for number in range(30)]
    posts = [board.Post(title=str(number), tag_id=None) for number in range(30)]
    board.session.add_all([*tags, *posts])
    board.session.commit()
    for post, tag in zip(posts, tags, strict=True):
        post.watch(board.bob)
        post.tag_id = tag.id
    board.session.flush()
    board.session.expunge_all()
    asked: list[str] = []
    event.listen(board.site.db.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    board.session.commit()

    assert len([statement for statement in asked if "FROM tag" in statement]) == 1
    assert sorted(line for lines in board.bodies("bob") for line in lines) == sorted(
        f"tag: — → tag {number}" for number in range(30)
    )


def test_what_people_call_an_object(board: Board, post: Any) -> None:
    comment = board.Comment(text="x", post=post)
    board.session.add(comment)
    assert label_of(post) == "Plan"
    assert label_of(board.ann) == "ann"
    assert label_of(comment) == "A comment on Plan"
    assert label_of(None) == ""
    nameless: Any = board.session.scalars(select(board.site.notify.Inbox)).first()
    assert label_of(nameless) == f"NotifyInbox {nameless.recipient_id}"
    post.title = None
    assert label_of(post) == f"Post {post.id}"
