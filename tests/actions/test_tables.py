"""Which rows and columns a table has: none that is secret, none that is hidden, in few statements (row F7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Boolean, ForeignKey, Integer, String, Text, event, func, select
from sqlalchemy.orm import aliased, attribute_keyed_dict, deferred, joinedload, selectinload

from flask_notify.actions.renderers import HtmlRenderer, JsonRenderer, TextRenderer
from flask_notify.errors import InvalidTable
from tests.actions.salon import Salon, fill, make_salon
from tests.apps import Site


@contextmanager
def statements(salon: Salon) -> Iterator[list[str]]:
    """Collect the statements that the application's engine executes."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(salon.site.db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(salon.site.db.engine, "before_cursor_execute", note)


@pytest.fixture
def salon(site: Site) -> Iterator[Salon]:
    """A salon with three threads, in the application context of the test."""
    with site.app.app_context():
        salon = make_salon(site)
        fill(salon)
        yield salon


@pytest.fixture
def crowd(site: Site) -> Iterator[Salon]:
    """A salon with 40 threads by 20 users."""
    with site.app.app_context():
        salon = make_salon(site)
        for number in range(1, 41):
            author = salon.user(f"user {number % 20}")
            salon.session.add(salon.Thread(id=number, title=f"Thread {number}", author=author))
        salon.session.commit()
        yield salon


def show(salon: Salon, spec: Any, *arguments: Any, user: str | None = "ann", **options: Any) -> Any:
    return salon.ask(user, renderer=JsonRenderer()).show(spec, *arguments, **options)


def titles(told: Any) -> list[str]:
    return [row["title"] for row in told["rows"]]


def hide(salon: Salon, hidden: Iterable[Any], model: Any = None) -> list[tuple[Any, set[Any]]]:
    """Let some rows be seen by nobody but ann; return what the model was asked."""
    asked: list[tuple[Any, set[Any]]] = []

    def visible_to(_cls: Any, user: Any, ids: set[Any]) -> set[Any]:
        asked.append((None if user is None else user.name, set(ids)))
        return ids if user is not None and user.name == "ann" else ids - set(hidden)

    (model or salon.Thread).visible_to = classmethod(visible_to)
    return asked


# What is shown


def test_a_model_is_shown_by_its_keys(salon: Salon) -> None:
    assert [row["id"] for row in show(salon, salon.Thread)["rows"]] == [1, 2, 12]


def test_a_select_is_shown_in_its_order(salon: Salon) -> None:
    Thread = salon.Thread
    wanted = select(Thread).where(Thread.id > 1).order_by(Thread.id.desc())

    assert [row["id"] for row in show(salon, wanted)["rows"]] == [12, 2]


def test_a_select_with_joins_is_counted_right(salon: Salon) -> None:
    Thread, Post = salon.Thread, salon.Post
    wanted = select(Thread).join(Post).distinct().order_by(Thread.id)

    told = show(salon, wanted, "id", limit=1)

    assert (told["rows"], told["count"]) == ([{"id": 1}], 2)


@pytest.mark.parametrize("limited", [False, True])
def test_a_select_that_loads_more_at_once_keeps_doing_so(salon: Salon, limited: bool) -> None:
    if limited:
        hide(salon, [1])
    Thread = salon.Thread
    wanted = select(Thread).options(joinedload(Thread.posts), selectinload(Thread.author)).order_by(Thread.id)
    salon.session.expunge_all()

    told = show(salon, wanted, "id posts", limit=1)

    assert ([len(row["posts"]) for row in told["rows"]], told["count"]) == ([2], 3)


def test_a_query_of_the_old_kind_is_a_select(salon: Salon) -> None:
    wanted = salon.Thread.query.filter_by(id=2)

    assert [row["id"] for row in show(salon, wanted)["rows"]] == [2]


def test_a_select_that_has_its_own_limit_keeps_it(salon: Salon) -> None:
    told = show(salon, select(salon.Thread).order_by(salon.Thread.id).limit(2), limit=1)

    assert ([row["id"] for row in told["rows"]], told["count"]) == ([1], 2)


def test_objects_are_shown_in_their_order_also_before_they_are_stored(salon: Salon) -> None:
    stored, fresh = salon.session.get(salon.Thread, 1), salon.Thread(title="Milk")

    assert titles(show(salon, [fresh, stored], "title author")) == ["Milk", "Tea & <biscuits>"]


def test_objects_of_no_model_have_the_columns_that_are_named(salon: Salon) -> None:
    moments = [complex(1, 2), complex(3, 4)]

    assert show(salon, moments, "real imag")["rows"] == [{"real": 1.0, "imag": 2.0}, {"real": 3.0, "imag": 4.0}]


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("kind", ["select", "dynamic", "write_only", "set", "dict"])
def test_the_collection_of_a_relationship_is_shown_whatever_its_kind(salon: Salon, kind: str) -> None:
    collections = {"set": set, "dict": attribute_keyed_dict("text")}
    options: dict[str, Any] = {"collection_class": collections[kind]} if kind in collections else {"lazy": kind}
    if kind in ("dynamic", "write_only"):
        options["overlaps"] = "posts,thread"
    else:
        options["viewonly"] = True
    db = salon.site.db
    salon.Thread.answers = db.relationship(salon.Post, **options)
    db.session.expire_all()

    told = show(salon, salon.session.get(salon.Thread, 1).answers, "text author")

    assert {(row["text"], row["author"]["text"]) for row in told["rows"]} == {
        ("Milk first?\n\nOr last?", "bob"),
        ("Never.", "ann"),
    }
    if kind in ("dynamic", "write_only"):
        with pytest.raises(InvalidTable, match="Write a function of the row"):
            show(salon, salon.Thread, "answers")


@pytest.mark.databases("sqlite")
def test_what_comes_one_by_one_is_shown_whole(salon: Salon) -> None:
    threads = (thread for thread in salon.session.scalars(select(salon.Thread).order_by(salon.Thread.id)))

    told = show(salon, threads, ["id", ("posts", lambda thread: (post for post in thread.posts))], limit=1)

    assert [post["id"] for post in told["rows"][0]["posts"]] == [1, 2]
    assert told["count"] == 3


@pytest.mark.databases("sqlite")
def test_rows_of_several_models_have_the_columns_of_the_one_they_inherit_from(salon: Salon) -> None:
    db = salon.site.db

    class Question(salon.Thread):  # type: ignore[name-defined,misc]
        id = db.Column(ForeignKey("thread.id"), primary_key=True)
        answered_by_id = db.Column(ForeignKey("user.id"))
        answered_by = db.relationship(salon.site.User, foreign_keys=[answered_by_id])

    salon.site.create_tables()
    ann = salon.user("ann")
    salon.add(Question(id=20, title="Why?", author=ann, answered_by=ann))
    threads = [salon.session.get(salon.Thread, key) for key in (1, 20)]

    assert titles(show(salon, threads)) == ["Tea & <biscuits>", "Why?"]
    assert show(salon, Question, "title answered_by.name author.name")["rows"] == [
        {"title": "Why?", "answered_by.name": "ann", "author.name": "ann"}
    ]
    with pytest.raises(InvalidTable, match="Name them"):
        show(salon, [threads[0], ann])


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("what", ["Thread", 7, None, object()])
def test_what_has_no_rows_is_refused(salon: Salon, what: Any) -> None:
    with pytest.raises(InvalidTable, match="must be a model, a select"):
        show(salon, what)


@pytest.mark.databases("sqlite")
def test_a_select_of_columns_or_of_several_models_is_refused(salon: Salon) -> None:
    for wanted in (
        select(salon.Thread.title),
        select(salon.Thread, salon.Post),
        select(func.count()),
        select(aliased(salon.Thread)),
    ):
        with pytest.raises(InvalidTable, match="must be of one model"):
            show(salon, wanted)


# How many


def test_fifteen_rows_are_shown_unless_others_are_asked_for(crowd: Salon) -> None:
    shown = {limit: len(show(crowd, crowd.Thread, "id", limit=limit)["rows"]) for limit in (None, 1, 39, 40, 41, 0)}

    assert shown == {None: 15, 1: 1, 39: 39, 40: 40, 41: 40, 0: 40}
    assert show(crowd, crowd.Thread, "id")["count"] == 40


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("limit", [-1, 1.5, "10", True])
def test_a_limit_that_is_no_number_of_rows_is_refused(salon: Salon, limit: Any) -> None:
    with pytest.raises(InvalidTable, match="A limit must be"):
        show(salon, salon.Thread, limit=limit)


def test_the_rows_are_counted_only_where_there_are_more(crowd: Salon) -> None:
    ar = crowd.ask("ann", renderer=JsonRenderer())

    with statements(crowd) as seen:
        ar.show(crowd.Thread, "id title", limit=40)
    assert len(seen) == 1

    with statements(crowd) as seen:
        ar.show(crowd.Thread, "id title", limit=39)
    assert len(seen) == 2


# In few statements


@pytest.mark.parametrize("limit", [2, 40])
def test_what_a_column_leads_through_is_loaded_for_all_rows_at_once(crowd: Salon, limit: int) -> None:
    for thread in crowd.session.scalars(select(crowd.Thread)):
        crowd.session.add(crowd.Post(thread=thread, author=thread.author, text="Yes."))
    crowd.session.commit()
    crowd.session.expunge_all()
    ar = crowd.ask("ann", renderer=JsonRenderer())

    with statements(crowd) as seen:
        ar.show(crowd.Post, "text author.name thread.author.name", limit=limit)

    # The rows, their count, the rows again with two relationships, and the one beyond.
    assert len(seen) <= 6


def test_objects_that_are_given_are_loaded_at_once_too(crowd: Salon) -> None:
    crowd.session.expunge_all()
    ar = crowd.ask("ann", renderer=JsonRenderer())
    threads = crowd.session.scalars(select(crowd.Thread)).all()

    with statements(crowd) as seen:
        told = ar.show(threads, "title author.name", limit=0)

    assert len(seen) == 2
    assert {row["author.name"] for row in told["rows"]} == {f"user {number}" for number in range(20)}


def test_what_is_loaded_is_not_read_again(crowd: Salon) -> None:
    ar = crowd.ask("ann", renderer=JsonRenderer())
    threads = crowd.session.scalars(select(crowd.Thread)).all()
    ar.show(threads, "title author.name")

    with statements(crowd) as seen:
        ar.show(threads, "title author.name")

    assert seen == []


# Which columns


@pytest.mark.databases("sqlite")
def test_no_secret_is_shown_by_default_in_any_form(salon: Salon) -> None:
    told = show(salon, salon.Thread)
    record = salon.ask(renderer=JsonRenderer()).data_record(salon.session.get(salon.Thread, 1))

    assert not {"invitation_token", "password_hash", "moderators_note", "image"} & set(told["rows"][0])
    assert not {"invitation_token", "password_hash", "moderators_note", "image"} & set(record["data"])
    assert "secret of tea" not in repr((told, record))


@pytest.mark.databases("sqlite")
def test_a_column_of_the_database_that_is_called_like_a_secret_is_not_shown_by_default(salon: Salon) -> None:
    db = salon.site.db
    columns: dict[str, Any] = {"__tablename__": "account", "id": db.Column(Integer, primary_key=True)}
    columns |= {
        "digest": db.Column("password_hash", String(64)),
        "pinned": db.Column(Boolean),
        "pin": db.Column(Integer),
    }
    columns |= {"history": deferred(db.Column(Text)), "_cached": db.Column(Text), "apikey": db.Column(String(64))}
    model = type("Account", (db.Model,), columns)

    assert list(show(salon, [model(digest="x", pinned=True)])["rows"][0]) == ["id", "pinned"]


@pytest.mark.databases("sqlite")
def test_choices_may_be_those_of_the_model(salon: Salon) -> None:
    salon.Thread.__choices__ = {"title": {"Tea & <biscuits>": "With milk"}}

    told = {
        renderer: salon.ask(renderer=renderer()).show(salon.Thread, "title", limit=1)
        for renderer in (TextRenderer, HtmlRenderer, JsonRenderer)
    }

    assert "With milk" in told[TextRenderer]
    assert "<td>With milk</td>" in told[HtmlRenderer]
    assert told[JsonRenderer]["rows"] == [{"title": "Tea & <biscuits>"}]


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("names", ["title moderators_note", ["moderators_note"]])
def test_what_a_model_calls_secret_is_refused_by_name(salon: Salon, names: Any) -> None:
    with pytest.raises(InvalidTable, match="is in __watch_secret__ and never shown"):
        show(salon, salon.Thread, names)


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("name", ["thread.moderators_note", "thread__moderators_note"])
def test_what_a_model_calls_secret_is_not_reached_through_another(salon: Salon, name: str) -> None:
    with pytest.raises(InvalidTable, match="never shown"):
        show(salon, salon.Post, name)


@pytest.mark.databases("sqlite")
def test_what_is_only_called_like_a_secret_is_shown_if_it_is_named(salon: Salon) -> None:
    assert show(salon, salon.Thread, "invitation_token", limit=1)["rows"] == [{"invitation_token": "secret of tea"}]


@pytest.mark.databases("sqlite")
def test_a_name_may_lead_through_others_in_both_spellings(salon: Salon) -> None:
    told = show(salon, salon.Post, "thread.author.name thread__title", limit=1)

    assert told["rows"] == [{"thread.author.name": "ann", "thread__title": "Tea & <biscuits>"}]


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    "names, message",
    [
        ("titel", "must be an attribute of Thread, got 'titel'. It has author, begun_on"),
        ("author.nome", "must be an attribute of User, got 'author.nome'"),
        ("_sa_instance_state", "must be named by public attributes"),
        ("author._sa_instance_state", "must be named by public attributes"),
        ("author.", "must be named by public attributes"),
        ([lambda thread: thread.title], "a pair of a label and a function"),
        ([7], "must be a name, a function"),
        ([("Title", "title")], "must be a name, a function"),
        ([], "must have at least one column"),
        ("", "must have at least one column"),
    ],
)
def test_a_column_that_is_not_there_is_refused_with_what_there_is(salon: Salon, names: Any, message: str) -> None:
    with pytest.raises(InvalidTable) as refused:
        show(salon, salon.Thread, names)

    assert message in str(refused.value)


@pytest.mark.databases("sqlite")
def test_two_columns_of_one_name_are_two(salon: Salon) -> None:
    told = show(salon, salon.Thread, ["title", "title", ("", lambda _thread: 1), ("", lambda _thread: 2)], limit=1)

    assert list(told["rows"][0]) == ["title", "title_2", "column_3", "column_4"]


# Whose rows


def test_a_row_that_the_user_may_not_see_is_neither_shown_nor_counted(salon: Salon) -> None:
    asked = hide(salon, [1])

    told = show(salon, salon.Thread, "id", user="bob", limit=1)

    assert (told["rows"], told["count"]) == ([{"id": 2}], 2)
    assert asked == [("bob", {1, 2, 12})]
    assert show(salon, salon.Thread, "id")["count"] == 3


@pytest.mark.parametrize("limit", [None, 0, 1])
def test_hidden_rows_are_left_out_of_whatever_is_shown(salon: Salon, limit: int | None) -> None:
    hide(salon, [1])
    Thread = salon.Thread
    for spec in (
        Thread,
        select(Thread).order_by(Thread.title),
        select(Thread).order_by(Thread.title).limit(3),
        select(Thread).distinct().order_by(Thread.title),
        salon.session.scalars(select(Thread)).all(),
    ):
        for mode in ("table", "list", "summary"):
            told = show(salon, spec, user="bob", limit=limit, display_mode=mode)
            assert told["count"] == 2
            assert "Tea" not in repr(told)


def test_many_rows_that_some_may_not_see_are_read_in_batches(salon: Salon, monkeypatch: pytest.MonkeyPatch) -> None:
    salon.session.add_all(salon.Thread(id=100 + number, title=f"Thread {100 - number}") for number in range(40))
    salon.session.commit()
    asked = hide(salon, [1, 101])
    monkeypatch.setattr("flask_notify.actions.tables._BATCH", 7)
    monkeypatch.setattr("flask_notify.visibility._BATCH", 30)
    wanted = select(salon.Thread).order_by(salon.Thread.id.desc())

    told = show(salon, wanted, "id", user="bob", limit=0)

    assert [row["id"] for row in told["rows"]] == [*range(139, 101, -1), 100, 12, 2]
    assert [len(keys) for _name, keys in asked] == [30, 13]


def test_a_hidden_object_is_left_out_of_the_cells_of_others(salon: Salon) -> None:
    asked = hide(salon, [1])

    told = show(salon, salon.Post, "text thread thread.title thread.author.name", user="bob")

    assert [row["thread"] and row["thread"]["text"] for row in told["rows"]] == [None, None, "咖啡 im Café"]
    assert [row["thread.title"] for row in told["rows"]] == [None, None, "咖啡 im Café"]
    assert [row["thread.author.name"] for row in told["rows"]] == [None, None, "bob"]
    assert asked == [("bob", {1, 2})]


def test_a_hidden_object_is_left_out_of_a_collection(salon: Salon) -> None:
    hide(salon, [2], salon.Post)

    told = show(salon, salon.Thread, "posts", user="bob", limit=1)

    assert [post["id"] for post in told["rows"][0]["posts"]] == [1]


@pytest.mark.databases("sqlite")
def test_a_visitor_sees_what_the_model_lets_nobody_in_particular_see(salon: Salon) -> None:
    asked = hide(salon, [1])

    assert show(salon, salon.Thread, "id", user=None)["count"] == 2
    assert asked == [(None, {1, 2, 12})]


@pytest.mark.databases("sqlite")
def test_a_model_that_answers_with_more_than_it_was_asked_shows_no_more(salon: Salon) -> None:
    salon.Thread.visible_to = classmethod(lambda _cls, _user, _ids: [1, 2, 12, 77])

    assert show(salon, select(salon.Thread).where(salon.Thread.id > 1), "id")["count"] == 2


# Belonging to something


def test_the_rows_that_belong_to_a_master_are_shown_without_it(salon: Salon) -> None:
    told = show(salon, salon.Post, None, salon.session.get(salon.Thread, 1))

    assert told["rows"] == [
        {"id": 1, "author": {"id": 2, "text": "bob"}, "text": "Milk first?\n\nOr last?"},
        {"id": 2, "author": {"id": 1, "text": "ann"}, "text": "Never."},
    ]


def test_known_values_narrow_the_rows(salon: Salon) -> None:
    ann = salon.user("ann")

    told = show(salon, salon.Post, known_values={"author": ann, "text": "Never."})

    assert [row["id"] for row in told["rows"]] == [2]
    assert not {"author", "text"} & set(told["rows"][0])
    assert show(salon, salon.Thread, "id", known_values={"author": None})["rows"] == [{"id": 12}]


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("make", [lambda salon: salon.Thread(title="x"), lambda _salon: "tea"])
def test_a_master_that_nothing_leads_to_is_refused(salon: Salon, make: Callable[[Salon], Any]) -> None:
    with pytest.raises(InvalidTable):
        show(salon, salon.Thread, master_instance=make(salon))


@pytest.mark.databases("sqlite")
def test_known_values_of_no_field_are_refused(salon: Salon) -> None:
    with pytest.raises(InvalidTable, match="must name fields of Thread, got titel"):
        show(salon, salon.Thread, known_values={"titel": "Tea"})


@pytest.mark.databases("sqlite")
def test_objects_cannot_be_narrowed(salon: Salon) -> None:
    with pytest.raises(InvalidTable, match="Only rows of a model"):
        show(salon, [salon.Thread(title="x")], known_values={"title": "x"})


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    "options, message",
    [
        ({"display_mode": "grid"}, "must be 'table', 'list' or 'summary', got 'grid'"),
        ({"header_level": 7}, "must be from 1 to 6"),
        ({"colum_names": "id"}, "show() takes the options display_mode"),
    ],
)
def test_an_option_that_is_not_known_is_refused(salon: Salon, options: Any, message: str) -> None:
    with pytest.raises(InvalidTable) as refused:
        show(salon, salon.Thread, **options)

    assert message in str(refused.value)
