"""Names and data: what can be stored, and what is refused at the call."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest

from flask_notify.errors import InvalidName, InvalidPayload
from tests.apps import Site
from tests.concurrency.clients import Poller


@pytest.fixture
def susan(site: Site) -> Iterator[Any]:
    with site.app.app_context():
        yield site.user(site.add_user("susan"))


def recursive() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


def deep() -> Any:
    value: Any = 0
    for _ in range(100_000):
        value = [value]
    return value


BAD_DATA: dict[str, Any] = {
    "nan": float("nan"),
    "infinity": [float("inf")],
    "date": datetime(2026, 1, 1, tzinfo=timezone.utc),
    "set": {1},
    "bytes": b"x",
    "circle": recursive(),
    "depth": deep(),
    "too large": "x" * 65_535,
}


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("kind", BAD_DATA)
def test_data_that_is_not_json_is_refused_and_the_session_is_untouched(site: Site, susan: Any, kind: str) -> None:
    susan.add_notification("good", 1)
    with pytest.raises(InvalidPayload, match="A notification's data must"):
        susan.add_notification("bad", BAD_DATA[kind])
    site.db.session.commit()

    assert [n.name for n in susan.notifications] == ["good"]


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("name", ["", "x" * 129, None, 7, b"x", " x", "x ", "x\n", "a\0b", "\ud800"])
def test_a_name_that_cannot_be_stored_is_refused_and_the_session_is_untouched(
    site: Site, susan: Any, name: Any
) -> None:
    with pytest.raises(InvalidName, match="A notification's name must"):
        susan.add_notification(name, 1)
    with pytest.raises(InvalidName):
        susan.remove_notification(name)
    site.db.session.commit()

    assert susan.notifications == []


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "10", True])
def test_a_time_to_live_that_is_none_is_refused(susan: Any, seconds: Any) -> None:
    with pytest.raises(InvalidPayload, match="expires_in must be a positive number of seconds"):
        susan.add_notification("x", 1, expires_in=seconds)


@pytest.mark.parametrize(
    "data",
    [None, True, 0, 2**70, 1.0, 0.1, 1e300, "", "\0 \ud800 ü 😀 </script>", [], {"a": {"b": [1, None]}}, "x" * 65_534],
    ids=lambda data: repr(data)[:20],
)
def test_any_json_value_comes_back_as_it_was(site: Site, susan: Any, data: Any) -> None:
    notification = susan.add_notification("x", data)
    site.db.session.commit()
    poller = Poller(site, susan.id)
    poller.poll()

    assert poller.state == {"x": data}
    assert type(poller.state["x"]) is type(data)
    assert notification.get_data() == notification.payload == data


@pytest.mark.parametrize("name", ["x" * 128, "ü" * 128, "😀" * 128, "a'b\"c%s:d;--", "a b", "task_progress:7", "%(x)s"])
def test_any_name_of_text_comes_back_as_it_was(site: Site, susan: Any, name: str) -> None:
    susan.add_notification(name, 1)
    site.db.session.commit()
    poller = Poller(site, susan.id)
    poller.poll()

    assert poller.state == {name: 1}


@pytest.mark.databases("sqlite")
def test_data_is_taken_as_it_is_at_the_call(site: Site, susan: Any) -> None:
    data = {"progress": 40}
    susan.add_notification("x", data)
    data["progress"] = 50
    site.db.session.commit()

    assert susan.notifications[0].payload == {"progress": 40}


@pytest.mark.databases("sqlite")
def test_what_has_expired_is_no_longer_among_the_users_notifications(site: Site, susan: Any) -> None:
    susan.add_notification("brief", 1, expires_in=10)
    susan.add_notification("lasting", 1)
    site.db.session.commit()
    now = site.notify.clock()
    site.notify.clock = lambda: now + 11

    assert [n.name for n in susan.notifications] == ["lasting"]


@pytest.mark.databases("sqlite")
def test_the_count_of_unseen_messages_is_not_the_applications_to_write(site: Site, susan: Any) -> None:
    with pytest.warns(UserWarning, match="'unread_message_count' is kept by Flask-Notify itself"):
        susan.add_notification("unread_message_count", 5)
    site.db.session.commit()

    assert susan.notifications == []
    assert susan.unread_message_count == 0


@pytest.mark.databases("sqlite")
def test_removing_what_is_not_there_is_no_error(site: Site, susan: Any) -> None:
    susan.remove_notification("nothing")
    site.db.session.commit()

    assert susan.notifications == []
