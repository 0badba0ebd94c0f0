"""Values read alike in all renderers, and data never becomes HTML (row F7)."""

from __future__ import annotations

import enum
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest
from flask_babel import Babel, lazy_gettext
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from flask_notify import Action, ActionRequest
from flask_notify.actions.renderers import HtmlRenderer, JsonRenderer, TextRenderer, html
from flask_notify.actions.renderers.buttons import Button
from flask_notify.actions.values import as_json, choice_of, plain, say
from flask_notify.errors import ConfigurationError, InvalidTable, UnknownAction
from flask_notify.object_names import words_of
from tests.actions.salon import Salon, State, fill, make_salon
from tests.actions.test_tables import statements
from tests.apps import Site

OURS = {"a", "b", "br", "caption", "h3", "li", "p", "table", "tbody", "td", "tfoot", "th", "thead", "time", "tr", "ul"}
OUR_ATTRIBUTES = {"class", "colspan", "datetime", "href", "scope", "title"}
pieces = st.sampled_from(["<b>", "</td></tr></table>", "<script>", '" onclick="x', "&lt;", "{}", "{0.__class__}", "\n"])
hostile = st.lists(pieces | st.text(max_size=5), max_size=5).map("".join)

pytestmark = pytest.mark.databases("sqlite")


@pytest.fixture
def salon(site: Site) -> Iterator[Salon]:
    """A salon with three threads, in the application context of the test."""
    with site.app.app_context():
        salon = make_salon(site)
        fill(salon)
        yield salon


class Reader(HTMLParser):
    """Collects the tags, the attributes and the text of a document."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str | None] = []
        self.text = ""
        self.feed(str(document))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _value in attrs}
        self.addresses += [value for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


# What a value reads as


class Colour(enum.Enum):
    """With labels of its own."""

    RED = 1

    @property
    def label(self) -> str:
        """What people read."""
        return "Rather red"


class Size(str, enum.Enum):
    """That is a text, too."""

    VERY_LARGE = "xl"


@pytest.mark.parametrize(
    "value, text, machine",
    [
        (None, "", None),
        (True, "Yes", True),
        (False, "No", False),
        (0, "0", 0),
        (1.5, "1.5", 1.5),
        (float("inf"), "inf", "inf"),
        (Decimal("1E+3"), "1000", "1000"),
        ("<b>", "<b>", "<b>"),
        (Markup("<b>bold</b> &amp;"), "bold &", "bold &"),
        (date(2026, 3, 1), "1 March 2026", "2026-03-01"),
        (time(7, 5), "07:05", "07:05:00"),
        (datetime(2026, 3, 1, 7, 5), "1 March 2026, 07:05", "2026-03-01T07:05:00"),  # noqa: DTZ001  # as databases do
        (datetime(2026, 3, 1, 7, 5, tzinfo=timezone.utc), "1 March 2026, 07:05", "2026-03-01T07:05:00Z"),
        (timedelta(days=1, hours=2), "1 day, 2:00:00", "1 day, 2:00:00"),
        (Colour.RED, "Rather red", 1),
        (Size.VERY_LARGE, "Very large", "xl"),
        (State.UNDER_REVIEW, "Under review", "review"),
        (b"123", "3 bytes", "3 bytes"),
        (uuid.UUID(int=7), str(uuid.UUID(int=7)), str(uuid.UUID(int=7))),
        ([1, True, "a\nb"], "1, Yes, a b", [1, True, "a\nb"]),
        ({"a": [Colour.RED]}, '{"a": [1]}', {"a": [1]}),
        ((), "", []),
    ],
)
def test_a_value_reads_as_people_and_as_machines_write_it(value: Any, text: str, machine: Any) -> None:
    assert say(value) == text
    assert as_json(value) == machine
    json.dumps(as_json(value))


def test_a_lazy_text_is_one_value(build: Callable[..., Site]) -> None:
    site = build()
    Babel(site.app)
    with site.app.app_context():
        words = lazy_gettext("Close thread")

        assert (say(words), as_json(words)) == ("Close thread", "Close thread")


@pytest.mark.parametrize(
    "choices", [{"s": "Small", 2: "Two"}, [("s", "Small"), (2, "Two")], (("s", "Small"), (2, "Two"))]
)
def test_a_choice_reads_as_its_label(choices: Any) -> None:
    labels = [choice_of({"choices": choices}, value) for value in ("s", 2, "other", None, [1])]

    assert labels == ["Small", "Two", "other", None, [1]]


def test_an_object_that_does_not_say_what_it_is_called_reads_as_in_the_summary_of_a_change(salon: Salon) -> None:
    del salon.Thread.__str__
    thread, fresh = salon.session.get(salon.Thread, 1), salon.Thread()
    ar = salon.ask(renderer=HtmlRenderer())

    assert (say(thread), as_json(thread), ar.obj2str(thread)) == (
        "Tea & <biscuits>",
        {"id": 1, "text": "Tea & <biscuits>"},
        "Tea & <biscuits>",
    )
    assert ar.data_record(thread)["title"] == "Tea & <biscuits>"
    assert ar.obj2html(fresh) == '<a href="/threads/None">Thread</a>'


def test_names_from_the_code_read_as_words() -> None:
    assert [words_of(name) for name in ("BlogPost", "last_seen", "author.name", "OPEN")] == [
        "Blog post",
        "Last seen",
        "Author name",
        "Open",
    ]


def test_rich_text_that_cannot_be_read_loses_its_tags() -> None:
    assert plain(Markup("<i>") * 3000 + "deep") == "deep"


# In HTML


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(hostile, hostile, st.sampled_from(["table", "list", "summary"]), st.booleans())
@example("<script>alert(1)</script>", "javascript:alert(1)", "table", True)
def test_no_data_becomes_html(salon: Salon, text: str, address: str, mode: str, links: bool) -> None:
    threads = [salon.Thread(title=text, posts=[salon.Post(text=text)]) for _ in range(2)]
    for thread in threads:
        thread.notify_url = address
        thread.get_absolute_url = None
    ar = salon.ask(renderer=HtmlRenderer())

    shown = ar.show(
        threads,
        ["title", "author", "posts", (text or "Shouted", lambda thread: thread.title.upper())],
        display_mode=mode,
        show_links=links,
        limit=1,
        title=text,
        header_level=3,
        no_data_text=text,
    )
    shown += ar.obj2html(threads[0], text, title=text) + ar.show([], title=text, no_data_text=text)

    read = Reader(shown)
    assert read.tags <= OURS
    assert read.attributes <= OUR_ATTRIBUTES
    assert all(each and each.startswith(("/", "http://", "https://")) for each in read.addresses)
    assert " ".join(text.split()) in " ".join(read.text.split())


def test_only_code_makes_markup(salon: Salon) -> None:
    salon.session.get(salon.Thread, 2).title = "<b>not bold</b>"

    shown = salon.ask(renderer=HtmlRenderer()).show(salon.Thread, "title stars", limit=2)

    assert "<td>&lt;b&gt;not bold&lt;/b&gt;</td><td><b></b></td>" in shown
    assert "<td><b>**</b></td>" in shown


def test_a_row_sums_itself_up_by_its_own_words(salon: Salon) -> None:
    salon.Thread.as_summary_row = lambda self, ar: Markup("<b>{}</b> for {}").format(self.title, ar.user)

    told = {
        renderer: salon.ask(renderer=renderer()).show(salon.Thread, display_mode="list", limit=1)
        for renderer in (TextRenderer, HtmlRenderer, JsonRenderer)
    }

    assert told[TextRenderer] == "- Tea & <biscuits> for ann\n\nand 2 more\n"
    assert "<li><b>Tea &amp; &lt;biscuits&gt;</b> for ann</li>" in told[HtmlRenderer]
    assert told[JsonRenderer]["rows"] == [{"id": 1, "text": "Tea & <biscuits> for ann"}]


def test_a_summary_may_be_asked_for_as_a_table(salon: Salon) -> None:
    ar = salon.ask(renderer=HtmlRenderer())

    assert ar.show(salon.Thread, display_mode="summary", nosummary=True) == ar.show(salon.Thread)


def test_the_title_is_a_heading_of_the_level_that_is_asked_for(salon: Salon) -> None:
    ar = salon.ask(renderer=HtmlRenderer())

    assert "<caption><h3>Threads</h3></caption>" in ar.show(salon.Thread, header_level=3)
    assert ar.show(salon.Thread, header_level=2, display_mode="list").startswith("<h2>Threads</h2>\n<ul")
    assert ar.show([], header_level=2, title="Milk").startswith("<h2>Milk</h2>\n<p")


# Links


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "//example.net/", "/\\example.net", "data:text/html,x", "https://a@b/", "", None]
)
def test_an_address_that_leads_elsewhere_than_it_says_is_no_link(salon: Salon, address: str | None) -> None:
    thread = salon.Thread(title="Tea")
    thread.get_absolute_url = lambda: address

    assert salon.ask(renderer=HtmlRenderer()).obj2html(thread) == "Tea"


def test_an_object_may_have_its_address_as_an_attribute(salon: Salon) -> None:
    user = salon.user("ann")
    user.notify_url = "https://example.net/ann?a=1&b=2"

    link = salon.ask(renderer=HtmlRenderer()).obj2html(user, "Ann & co", class_="name", data_key="1")

    assert link == '<a href="https://example.net/ann?a=1&amp;b=2" class="name" data-key="1">Ann &amp; co</a>'
    assert salon.ask(renderer=HtmlRenderer()).obj2html(salon.user("bob")) == "bob"


def test_addresses_are_whole_in_a_mail(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_BASE_URL="https://example.org/forum")
    with site.app.app_context():
        salon = make_salon(site)
        fill(salon)
        site.app.add_url_rule("/threads/<int:id>", endpoint="thread")
        salon.Thread.get_absolute_url = lambda self: site.app.url_for("thread", id=self.id, _external=False)
        thread = salon.session.get(salon.Thread, 1)

        mail = salon.ask(renderer=HtmlRenderer(), permalink_uris=True).obj2html(thread, "Tea")
        text = salon.ask(permalink_uris=True).show([thread], "title", show_links=True)
        page = salon.ask(renderer=HtmlRenderer()).obj2html(thread, "Tea")

    assert mail == '<a href="https://example.org/forum/threads/1">Tea</a>'
    assert "(https://example.org/forum/threads/1)" in text
    assert page == '<a href="/forum/threads/1">Tea</a>'


def test_a_mail_needs_to_know_where_the_site_is(salon: Salon) -> None:
    ar = salon.ask(renderer=HtmlRenderer(), permalink_uris=True)

    with pytest.raises(ConfigurationError, match="NOTIFY_BASE_URL"):
        ar.obj2html(salon.session.get(salon.Thread, 1))


# Language and clock


def test_a_time_is_told_by_the_readers_clock(salon: Salon) -> None:
    ann = salon.user("ann")
    ann.set_notify_preferences(timezone="Asia/Tokyo")
    salon.session.commit()
    thread = salon.session.get(salon.Thread, 1)
    at = "21 November 2026, 17:30"

    told = {name: salon.ask(name).show([thread], "seen_at") for name in ("ann", "bob", None)}
    page = salon.ask("ann", renderer=HtmlRenderer()).show([thread], "seen_at")

    assert at in told["bob"]
    assert at in told[None]
    assert "22 November 2026, 02:30" in told["ann"]
    assert '<time datetime="2026-11-21T17:30:00Z">22 November 2026, 02:30</time>' in page


def test_the_clock_is_read_once_and_only_if_it_is_needed(salon: Salon) -> None:
    threads = [salon.Thread(title="x") for _ in range(3)]
    ar = salon.ask("ann")

    with statements(salon) as seen:
        ar.show(threads, "title")
        assert seen == []
        ar.show(threads, "seen_at")
        assert len(seen) == 1


def test_a_zone_that_this_machine_does_not_know_is_the_applications(salon: Salon) -> None:
    ann = salon.user("ann")
    inbox = salon.site.notify.models.inbox
    salon.session.execute(inbox.update().where(inbox.c.recipient_id == ann.id).values(timezone="Mars/Olympus"))

    assert "17:30" in salon.ask("ann").show([salon.Thread(title="x")], "seen_at")


def test_labels_and_dates_are_in_the_language_that_is_asked_for(build: Callable[..., Site]) -> None:
    site = build(BABEL_DEFAULT_LOCALE="en")
    Babel(site.app)
    with site.app.app_context():
        salon = make_salon(site)
        fill(salon)
        salon.Thread.begun_on.info["label"] = lazy_gettext("Date")
        ar = salon.ask()

        german = ar.show(salon.Thread, "begun_on", language="de", limit=1)
        english = ar.show(salon.Thread, "begun_on", limit=1)

    assert "01.03.2026" in german
    assert "Mar 1, 2026" in english


# Buttons


def test_a_page_makes_buttons_by_what_it_was_told_to_use(salon: Salon, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Button] = []
    monkeypatch.setattr(html, "_makers", [])
    html.use_button(lambda button: made.append(button) or Markup("<form></form>"))  # type: ignore[func-returns-value]
    thread = salon.session.get(salon.Thread, 1)
    ar = salon.ask("ann", renderer=HtmlRenderer())

    assert ar.action_button(salon.CloseThread, thread, label="Close it") == "<form></form>"
    assert ar.spawn(salon.CloseThread).row_action_button(salon.session.get(salon.Thread, 2)) == "<form></form>"

    first, second = made
    assert (first.action.name, first.row, first.key, first.label, first.permitted) == (
        "close_thread",
        thread,
        1,
        "Close it",
        True,
    )
    assert (second.key, second.label, second.permitted) == (2, "Close <thread>", False)


def test_nobody_is_asked_what_a_visitor_may_do(salon: Salon) -> None:
    salon.CloseThread.permitted = lambda _self, ar, row: row.author_id == ar.user.id
    thread = salon.session.get(salon.Thread, 1)

    told = salon.ask(None, renderer=JsonRenderer()).action_button(salon.CloseThread, thread)

    assert (told["permitted"], told["title"]) == (False, "Log in to do this.")


def test_an_action_shows_a_button_for_itself(salon: Salon) -> None:
    shown: list[Any] = []

    @salon.site.notify.action
    class AskAgain(Action):
        target = salon.Thread

        def permitted(self, ar: ActionRequest, row: Any) -> bool:  # noqa: ARG002
            return True

        def run(self, ar: ActionRequest, row: Any) -> None:
            shown.extend([ar.ar2button(), ar.as_button(label="Once more"), ar.row_action_button(row)])

    for renderer in (TextRenderer(), JsonRenderer()):
        AskAgain.run_for(salon.session.get(salon.Thread, 1), user=salon.user("ann"), renderer=renderer)

    with_row = salon.ask("bob").spawn(salon.CloseThread)
    with_row.selected = [salon.session.get(salon.Thread, 1)]
    assert with_row.ar2button() == "(Close <thread>)"
    assert shown[:3] == ["[Ask again]", "[Once more]", "[Ask again]"]
    assert [(each["action"], each["row"]) for each in shown[3:]] == [("ask_again", 1)] * 3


def test_a_button_of_an_action_that_nobody_declared_is_refused(salon: Salon) -> None:
    with pytest.raises(UnknownAction):
        salon.ask().action_button("clsoe_thread", salon.session.get(salon.Thread, 1))


# From an action


def test_a_table_is_the_answer_of_an_action(salon: Salon) -> None:
    @salon.site.notify.action
    class ListPosts(Action):
        target = salon.Thread

        def permitted(self, ar: ActionRequest, row: Any) -> bool:  # noqa: ARG002
            return True

        def run(self, ar: ActionRequest, row: Any) -> None:
            told = ar.show(salon.Post, "text author", master_instance=row, title=f"Posts in {row}")
            ar.set_response(**told if isinstance(told, dict) else {"html": {"posts": told}})

    thread, ann = salon.session.get(salon.Thread, 1), salon.user("ann")

    machine = ListPosts.run_for(thread, user=ann, renderer=JsonRenderer()).to_json()
    page = ListPosts.run_for(thread, user=ann, renderer=HtmlRenderer()).to_json()

    assert machine["title"] == "Posts in Tea & <biscuits>"
    assert machine["rows"][1] == {"text": "Never.", "author": {"id": 1, "text": "ann"}}
    assert (machine["count"], machine["success"]) == (2, True)
    assert "<caption>Posts in Tea &amp; &lt;biscuits&gt;</caption>" in page["html"]["posts"]


def test_a_child_shows_as_its_parent_does_unless_it_is_told_otherwise(salon: Salon) -> None:
    ar = salon.ask(renderer=JsonRenderer())

    assert isinstance(ar.spawn().show(salon.Thread), dict)
    assert isinstance(ar.spawn(renderer=TextRenderer()).show(salon.Thread), str)


def test_what_cannot_be_shown_is_told_before_anything_is_read(salon: Salon) -> None:
    ar = salon.ask()

    with statements(salon) as seen, pytest.raises(InvalidTable):
        ar.show(salon.Thread, limit=-1)

    assert seen == []
