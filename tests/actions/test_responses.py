"""Responses: known keys, checked values, and an order that never matters (row F2)."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from flask_notify import Action, ActionRequest
from flask_notify.actions.responses import RESPONSE_KEYS, ActionResponse
from flask_notify.config import Settings
from flask_notify.errors import ConfigurationError, InvalidResponse, UnknownResponseKey
from tests.actions.forum import Forum

pytestmark = pytest.mark.databases("sqlite")

KEYS = """
    success message alert errors info_message warning_message debug_message title rows no_data_text count navinfo
    data_record record_id record_deleted refresh refresh_all goto_url open_url close_window xcallback active_tab html
""".split()  # noqa: SIM905  # as the row has them
RIGHT: dict[str, Any] = {
    "success": True,
    "message": "Done.",
    "alert": True,
    "errors": {"topic": ["Too long."]},
    "info_message": "By the way",
    "warning_message": "Careful",
    "debug_message": "x = 1",
    "title": "Threads",
    "rows": [[1, "a"], [2, None]],
    "no_data_text": "Nothing here",
    "count": 2,
    "navinfo": {"recno": 1},
    "data_record": {"id": 1},
    "record_id": 7,
    "record_deleted": True,
    "refresh": True,
    "refresh_all": False,
    "goto_url": "/threads/7?page=2#top",
    "open_url": "https://docs.example.org/a",
    "close_window": True,
    "active_tab": "comments",
    "html": {"thread-7": Markup("<b>Lunch</b>")},
}
HOSTS = frozenset({"docs.example.org", "localhost:8000"})


def response(**keys: Any) -> ActionResponse:
    made = ActionResponse(HOSTS)
    made.update(**keys)
    return made


@pytest.fixture
def ar(forum: Forum) -> Any:
    return forum.site.notify.action_request()


def test_the_keys_are_those_of_the_source_in_its_order() -> None:
    assert list(RESPONSE_KEYS) == KEYS


@pytest.mark.parametrize("key", sorted(RIGHT))
def test_a_key_is_told_as_it_was_given(key: str) -> None:
    made = response(**{key: RIGHT[key]})

    assert getattr(made, key) == RIGHT[key]
    assert json.loads(json.dumps(made.to_json())) == {key: json.loads(json.dumps(RIGHT[key]))}


def test_only_keys_that_were_set_are_told() -> None:
    assert response().to_json() == {}
    assert response(message=None, refresh=None).to_json() == {}


def test_unknown_keys_are_refused_at_the_call_with_the_list_of_known_ones(ar: ActionRequest) -> None:
    with pytest.raises(UnknownResponseKey, match=f"has the keys {', '.join(KEYS)}; got 'eval_js'"):
        ar.success("Done.", eval_js="alert(1)")

    assert ar.response.to_json() == {}, "nothing of a refused call is kept"


def test_an_unknown_key_cannot_be_asked_for_either() -> None:
    with pytest.raises(AttributeError, match="got 'eval_js'"):
        _ = response().eval_js


@pytest.mark.parametrize(
    "key,value",
    [
        ("success", 1),
        ("success", "yes"),
        ("message", 3),
        ("message", ["a"]),
        ("message", b"bytes"),
        ("alert", 1),
        ("errors", ["topic"]),
        ("errors", {"topic": [3]}),
        ("rows", "text"),
        ("rows", [object()]),
        ("rows", {"a": 1}),
        ("count", -1),
        ("count", True),
        ("navinfo", [1]),
        ("data_record", {"a": object()}),
        ("data_record", {"a": float("nan")}),
        ("record_id", 1.5),
        ("goto_url", "https://example.org/"),
        ("goto_url", "//example.org/"),
        ("goto_url", "/\\example.org"),
        ("goto_url", "javascript:alert(1)"),
        ("goto_url", "threads"),
        ("goto_url", "/a\nb"),
        ("open_url", "https://example.org/"),
        ("open_url", "https://docs.example.org:444/"),
        ("open_url", "https://docs.example.org@evil.example/"),
        ("open_url", "https://docs.example.org.evil.example/"),
        ("open_url", "javascript:alert(1)"),
        ("open_url", "//docs.example.org/"),
        ("open_url", "data:text/html,x"),
        ("xcallback", {"id": "close"}),
        ("html", {"thread-7": "<b>text</b>"}),
        ("html", {"": Markup("x")}),
        ("html", {"a b": Markup("x")}),
        ("html", Markup("x")),
    ],
)
def test_a_value_that_a_key_cannot_have_is_refused(key: str, value: Any) -> None:
    with pytest.raises(InvalidResponse, match=f"The key '{key}' of a response must be "):
        response(**{key: value})


@pytest.mark.parametrize(
    "url",
    [
        "https://docs.example.org",
        "https://DOCS.example.org:443/a?b#c",
        "http://docs.example.org:80/",
        "http://localhost:8000/x",
        "/threads",
    ],
)
def test_an_address_on_the_list_may_be_opened(url: str) -> None:
    assert response(open_url=url).open_url == url


def test_the_hosts_are_those_of_the_setting_and_the_site_s_own(forum: Forum) -> None:
    app = forum.site.app
    app.extensions["notify"].settings.action_hosts = HOSTS
    app.extensions["notify"].settings.base_url = "https://forum.example.org/de"
    with app.test_request_context(base_url="https://www.example.org:8443"):
        ar = forum.site.notify.action_request()
        for host in ("docs.example.org", "forum.example.org", "www.example.org:8443"):
            ar.set_response(open_url=f"https://{host}/")

        with pytest.raises(InvalidResponse):
            ar.set_response(open_url="https://elsewhere.example.org/")


def test_a_key_that_is_a_uuid_is_told_as_text() -> None:
    key = uuid.uuid4()

    assert response(record_id=key).to_json() == {"record_id": str(key)}


def test_what_is_lazy_is_told_in_the_language_of_now() -> None:
    class Lazy:
        def __str__(self) -> str:
            return "Geschlossen"

    assert response(message=Lazy()).to_json() == {"message": "Geschlossen"}


def test_a_text_is_text(ar: ActionRequest) -> None:
    ar.error("<dl> inside <text:p>")

    assert ar.response.to_json() == {"success": False, "message": "<dl> inside <text:p>"}
    assert ar.response.html_of("message") == "&lt;dl&gt; inside &lt;text:p&gt;"


def test_an_exception_is_text(ar: ActionRequest) -> None:
    ar.error(NotImplementedError(Markup("<dl> inside <text:p>")))

    assert ar.response.message == "<dl> inside <text:p>"
    assert ar.response.html_of("message") == "&lt;dl&gt; inside &lt;text:p&gt;"


def test_markup_is_a_message_only_where_it_is_given_as_one(ar: ActionRequest) -> None:
    ar.error(Markup("<b>no</b>"))
    assert ar.response.html_of("message") == "&lt;b&gt;no&lt;/b&gt;"

    ar.error(message=Markup("<b>bold</b><script>alert(1)</script>"))
    assert ar.response.html_of("message") == "<b>bold</b>"
    assert ar.response.to_json()["message"] == "bold"


def test_what_is_told_further_adds_up(ar: ActionRequest) -> None:
    ar.info("one")
    ar.info("two <3")
    ar.warning("careful")

    assert ar.response.to_json() == {"info_message": "one\ntwo <3", "warning_message": "careful"}


def test_text_that_is_added_to_markup_stays_text(ar: ActionRequest) -> None:
    ar.info(Markup("<em>one</em>"))
    ar.info("<two>")

    assert ar.response.html_of("info_message") == "<em>one</em>\n&lt;two&gt;"


@pytest.mark.parametrize("debug", [True, False])
def test_what_is_for_developers_is_shown_to_them_alone(forum: Forum, ar: ActionRequest, debug: bool) -> None:
    forum.site.app.debug = debug

    ar.debug("x = 1")

    assert ar.response.debug_message == ("x = 1" if debug else None)


def test_the_window_may_be_closed(ar: ActionRequest) -> None:
    ar.close_window()

    assert ar.response.to_json() == {"close_window": True}


def test_going_to_an_object_leads_to_its_page(forum: Forum) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)
    ar = forum.site.notify.action_request(user=ann)

    ar.goto_instance(thread, message="There it is.")

    assert ar.response.to_json() == {
        "message": "There it is.",
        "record_id": thread.id,
        "goto_url": f"/threads/{thread.id}",
    }


def test_going_to_an_object_that_was_only_added_leads_to_its_page(forum: Forum) -> None:
    ann = forum.user("ann")
    thread = forum.Thread(author_id=ann.id, title="New")
    forum.session.add(thread)
    ar = forum.site.notify.action_request(user=ann)

    ar.goto_instance(thread)

    assert ar.response.goto_url == f"/threads/{thread.id}"


def test_one_does_not_go_to_an_object_that_one_may_not_see(forum: Forum) -> None:
    thread = forum.thread(forum.user("ann"), hidden=True)
    ar = forum.site.notify.action_request(user=forum.user("bob"))

    ar.goto_instance(thread)

    assert ar.response.to_json() == {}


def test_going_to_a_key_asks_nobody(ar: ActionRequest) -> None:
    ar.goto_pk(10**6, refresh=True)

    assert ar.response.to_json() == {"record_id": 10**6, "refresh": True}


def test_of_one_key_the_last_value_counts(ar: ActionRequest) -> None:
    ar.success("First.")
    ar.set_response(message="Second.")

    assert ar.response.message == "Second."


def test_what_has_failed_stays_failed(ar: ActionRequest) -> None:
    ar.error("One is stuck.")
    ar.success("All closed.", refresh=True)

    assert ar.response.failed
    assert ar.response.to_json() == {"success": False, "message": "One is stuck.", "refresh": True}


CALLS: list[dict[str, Any]] = [
    {"success": False, "message": "It failed.", "title": "Oh"},
    *({key: value} for key, value in RIGHT.items()),
]


@settings(max_examples=200)
@given(st.lists(st.sampled_from(CALLS), unique_by=tuple), st.randoms())
def test_no_order_of_the_calls_changes_the_answer(calls: list[dict[str, Any]], random: Any) -> None:
    shuffled = list(calls)
    random.shuffle(shuffled)
    one, other = ActionResponse(HOSTS), ActionResponse(HOSTS)

    for call in calls:
        one.update(**call)
    for call in shuffled:
        other.update(**call)

    assert json.dumps(one.to_json()) == json.dumps(other.to_json())


@settings(max_examples=200)
@given(st.text(), st.sampled_from(["message", "info_message", "warning_message", "title", "no_data_text"]))
def test_no_text_becomes_html(text: str, key: str) -> None:
    made = response(**{key: text})

    assert made.to_json() == {key: text}
    assert not set(made.html_of(key)) & set("<>\"'")


def test_an_action_of_its_own_sees_its_own_response(forum: Forum) -> None:
    seen: list[dict[str, Any]] = []

    class Looking(Action):
        def permitted(self, ar: ActionRequest) -> bool:  # noqa: ARG002
            return True

        def run(self, ar: ActionRequest) -> None:
            ar.success("Done.")
            seen.append(ar.response.to_json())

    forum.site.notify.action(Looking)
    Looking.run_for(user=None)

    assert seen == [{"success": True, "message": "Done."}]


def test_the_setting_is_checked() -> None:
    app = Flask("tests")
    for wrong in ("docs.example.org", ("https://docs.example.org",), (3,), ("a b",), None):
        with pytest.raises(ConfigurationError, match="NOTIFY_ACTION_HOSTS must be a tuple of host names"):
            Settings({**app.config, "NOTIFY_ACTION_HOSTS": wrong})
    assert Settings({**app.config, "NOTIFY_ACTION_HOSTS": ["Docs.example.org", "[::1]:80"]}).action_hosts == {
        "docs.example.org",
        "[::1]:80",
    }
