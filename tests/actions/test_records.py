"""One record for a client, with its place among others, and new objects that belong to something (row F7)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import ForeignKey, Integer, String, Uuid, select

from flask_notify.actions.renderers import HtmlRenderer, JsonRenderer, TextRenderer
from flask_notify.errors import InvalidTable, RowNotFound
from tests.actions.salon import Salon, fill, make_salon
from tests.actions.test_tables import hide, statements
from tests.apps import Site


@pytest.fixture
def salon(site: Site) -> Iterator[Salon]:
    """A salon with three threads, in the application context of the test."""
    with site.app.app_context():
        salon = make_salon(site)
        fill(salon)
        yield salon


def place(salon: Salon, key: int, navinfo: Any = True, user: str = "ann") -> dict[str, Any]:
    thread = salon.session.get(salon.Thread, key)
    found = salon.ask(user).data_record(thread, navinfo=navinfo)["navinfo"]
    assert isinstance(found, dict)
    return found


# A record


def test_a_record_has_what_a_client_shows(salon: Salon) -> None:
    record = salon.ask().data_record(salon.session.get(salon.Post, 2))

    assert record == {
        "id": 2,
        "title": "ann: Never.",
        "data": {
            "id": 2,
            "thread": {"id": 1, "text": "Tea & <biscuits>"},
            "author": {"id": 1, "text": "ann"},
            "text": "Never.",
        },
        "navinfo": None,
        "disable_delete": None,
    }


@pytest.mark.databases("sqlite")
def test_a_record_is_the_same_in_every_renderer_and_a_response_takes_it(salon: Salon) -> None:
    thread = salon.session.get(salon.Thread, 1)
    records = []
    for renderer in (TextRenderer(), HtmlRenderer(), JsonRenderer()):
        ar = salon.ask(renderer=renderer)
        ar.set_response(data_record=ar.data_record(thread, navinfo=True))
        records.append(ar.response.to_json()["data_record"])

    assert records[0] == records[1] == records[2]
    assert records[0]["id"] == 1


@pytest.mark.databases("sqlite")
def test_a_record_says_why_it_may_not_be_deleted(salon: Salon) -> None:
    thread = salon.session.get(salon.Thread, 1)
    type(thread).disable_delete = lambda self, ar: f"{ar.user} has written in {self.title}." if self.posts else None

    assert salon.ask().data_record(thread)["disable_delete"] == "ann has written in Tea & <biscuits>."
    assert salon.ask().data_record(salon.session.get(salon.Thread, 12))["disable_delete"] is None


@pytest.mark.databases("sqlite")
def test_a_record_that_the_user_may_not_see_is_not_found(salon: Salon) -> None:
    hide(salon, [1])

    with pytest.raises(RowNotFound):
        salon.ask("bob").data_record(salon.session.get(salon.Thread, 1))


@pytest.mark.databases("sqlite")
def test_a_hidden_object_is_none_in_the_record_of_another(salon: Salon) -> None:
    hide(salon, [1])

    assert salon.ask("bob").data_record(salon.session.get(salon.Post, 1))["data"]["thread"] is None


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("what", ["Tea", None, 7])
def test_what_is_no_object_has_no_record(salon: Salon, what: Any) -> None:
    with pytest.raises(InvalidTable, match="is of an object of a model"):
        salon.ask().data_record(what)


# Its place


def test_a_record_knows_its_neighbours_in_one_statement(salon: Salon) -> None:
    thread = salon.session.get(salon.Thread, 2)
    ar = salon.ask()
    ar.data_record(thread)

    with statements(salon) as seen:
        record = ar.data_record(thread, navinfo=True)

    assert record["navinfo"] == {"first": 1, "prev": 1, "next": 12, "last": 12, "recno": 2, "count": 3}
    assert len(seen) == 1


def test_the_first_and_the_last_lack_a_neighbour(salon: Salon) -> None:
    assert place(salon, 1) == {"first": 1, "prev": None, "next": 2, "last": 12, "recno": 1, "count": 3}
    assert place(salon, 12) == {"first": 1, "prev": 2, "next": None, "last": 12, "recno": 3, "count": 3}


def test_neighbours_are_those_of_a_select_in_its_order(salon: Salon) -> None:
    by_title = select(salon.Thread).order_by(salon.Thread.title.desc())
    keys = list(salon.session.scalars(by_title.with_only_columns(salon.Thread.id)))

    found = place(salon, keys[1], by_title)

    assert found == {"first": keys[0], "prev": keys[0], "next": keys[2], "last": keys[2], "recno": 2, "count": 3}


def test_a_record_that_is_not_among_them_has_the_number_0(salon: Salon) -> None:
    others = select(salon.Thread).where(salon.Thread.id != 2).order_by(salon.Thread.id)

    assert place(salon, 2, others) == {"first": 1, "prev": None, "next": None, "last": 12, "recno": 0, "count": 2}
    assert place(salon, 2, others.where(salon.Thread.id > 99))["count"] == 0


def test_who_may_not_see_a_row_is_not_led_to_it(salon: Salon) -> None:
    hide(salon, [1])

    assert place(salon, 2, user="bob") == {"first": 2, "prev": None, "next": 12, "last": 12, "recno": 1, "count": 2}
    assert place(salon, 2, user="ann")["prev"] == 1


def test_neighbours_are_found_by_every_kind_of_key(salon: Salon) -> None:
    db = salon.site.db
    kinds: dict[str, Any] = {"Room": Uuid(), "Page": String(64)}
    for name, kind in kinds.items():
        columns = {"__tablename__": name.lower(), "id": db.Column(kind, primary_key=True)}
        model = type(name, (db.Model,), columns)
        salon.site.create_tables()
        keys: list[Any] = [uuid.UUID(int=3), uuid.UUID(int=7)] if name == "Room" else ["Äpfel", "Birnen"]
        salon.add(*(model(id=key) for key in keys))

        record = salon.ask().data_record(salon.session.get(model, keys[0]), navinfo=True)

        assert {record["navinfo"]["first"], record["navinfo"]["last"]} == {str(key) for key in keys}
        assert record["id"] == str(keys[0])


# New objects


def test_an_instance_has_the_known_values_and_belongs_to_the_master(salon: Salon) -> None:
    thread, ann = salon.session.get(salon.Thread, 1), salon.user("ann")
    ar = salon.ask(known_values={"author": ann, "text": "Known."}, master_instance=thread)

    post = ar.create_instance(salon.Post, text="Given.")

    assert (post.thread, post.author, post.text) == (thread, ann, "Given.")
    assert ar.create_instance(salon.Post).text == "Known."


def test_an_instance_is_not_stored_by_itself(salon: Salon) -> None:
    ann = salon.user("ann")

    salon.ask(known_values={"author": ann}).create_instance(salon.Thread, title="Milk")
    salon.session.commit()

    assert salon.session.scalar(select(salon.Thread).where(salon.Thread.title == "Milk")) is None


@pytest.mark.databases("sqlite")
def test_an_instance_that_is_not_stored_has_a_record_too(salon: Salon) -> None:
    thread = salon.session.get(salon.Thread, 1)
    ar = salon.ask(master_instance=thread)

    record = ar.data_record(ar.create_instance(salon.Post, text="Black."))

    assert (record["id"], record["data"]["id"], record["data"]["text"]) == (None, None, "Black.")
    assert record["data"]["thread"] == {"id": 1, "text": "Tea & <biscuits>"}


@pytest.mark.databases("sqlite")
def test_an_instance_that_is_not_stored_has_no_place(salon: Salon) -> None:
    record = salon.ask().data_record(salon.Thread(title="Milk"), navinfo=True)

    assert record["navinfo"] == {"first": 1, "prev": None, "next": None, "last": 12, "recno": 0, "count": 3}


@pytest.fixture(name="Letter")
def letter_model(salon: Salon) -> Any:
    """A model that points at users twice."""
    db = salon.site.db
    columns: dict[str, Any] = {
        "__tablename__": "letter",
        "id": db.Column(Integer, primary_key=True),
        "sender_id": db.Column(ForeignKey("user.id")),
        "receiver_id": db.Column(ForeignKey("user.id")),
    }
    columns["sender"] = db.relationship(salon.site.User, foreign_keys=[columns["sender_id"]])
    columns["receiver"] = db.relationship(salon.site.User, foreign_keys=[columns["receiver_id"]])
    model = type("Letter", (db.Model,), columns)
    salon.site.create_tables()
    return model


@pytest.mark.databases("sqlite")
def test_it_is_not_guessed_which_of_two_leads_to_the_master(salon: Salon, Letter: Any) -> None:
    ann = salon.user("ann")
    ar = salon.ask(master_instance=ann)

    with pytest.raises(InvalidTable, match=r"not clear which of receiver, sender leads from Letter"):
        ar.create_instance(Letter)

    assert ar.create_instance(Letter, sender=ann).receiver is None
    with pytest.raises(InvalidTable, match="not clear which"):
        ar.show(Letter, master_instance=ann)


@pytest.mark.databases("sqlite")
def test_a_master_that_nothing_leads_to_is_refused(salon: Salon) -> None:
    ar = salon.ask(master_instance=salon.session.get(salon.Post, 1))

    with pytest.raises(InvalidTable, match="Thread must have a relationship to Post"):
        ar.create_instance(salon.Thread)


@pytest.mark.databases("sqlite")
def test_a_field_that_is_not_there_is_refused_with_what_there_is(salon: Salon) -> None:
    with pytest.raises(InvalidTable, match=r"got titel\. It has author"):
        salon.ask().create_instance(salon.Thread, titel="Tea")
    with pytest.raises(InvalidTable, match="created of a model"):
        salon.ask().create_instance(str)


@pytest.mark.databases("sqlite")
def test_a_field_is_obvious_where_it_is_the_same_in_all_rows(salon: Salon) -> None:
    ar = salon.ask(known_values={"text": "x"}, master_instance=salon.session.get(salon.Thread, 1))

    obvious = {name: ar.is_obvious_field(name, salon.Post) for name in ("text", "thread", "author")}

    assert obvious == {"text": True, "thread": True, "author": False}
    assert not salon.ask().is_obvious_field("text", salon.Post)
    child = ar.spawn("close_thread", known_values={"title": "Tea"})
    assert child.is_obvious_field("title")
    assert not child.is_obvious_field("state")
