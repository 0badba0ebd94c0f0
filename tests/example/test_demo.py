"""`flask --app examples.microblog demo`, run as a person runs it: in a process of its own."""

from __future__ import annotations

import re
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from playwright.sync_api import expect

from examples.microblog import create_app
from examples.microblog.demo.community import ADMINISTRATOR, GUIDES, NEW_FOLLOWERS, NEW_POSTS, PASSWORD
from tests.example.running import COMMAND, ROOT, Demo, Guest, environment, eventually, processes_of, wait_for
from tests.example.test_in_browser import badge, be_patient, log_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
#: Where Linux tells what runs.
LISTED = Path("/proc/self/environ")


class Run(NamedTuple):
    """One of several runs on the same folder, and how it ended."""

    feed: str
    preferences: str
    key: str
    processes: int
    status: int
    left: list[int]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[signal.Signals, Run]:
    """Three runs, one after the other, by the signals that ended them; before that, somebody wrote a post."""
    folder = tmp_path_factory.mktemp("runs")
    return {how: run_until(how, folder) for how in ENDS}


def run_until(how: signal.Signals, folder: Path) -> Run:
    """Run the demo, write a post, and end the demo by a signal."""
    with closing(Demo(folder)) as demo:
        guest = Guest(demo.url).log_in(GUIDES[0])
        feed, preferences = guest.open("/"), guest.open("/preferences")
        guest.send("/", body=f"Written before {how.name}")
        if LISTED.exists():
            eventually(lambda: len(processes_of(folder)) == 3)
        processes = len(processes_of(folder))
        status = demo.end(how)
    eventually(lambda: processes_of(folder) == [])
    key = (folder / "vapid_private_key").read_text()
    return Run(feed, preferences, key, processes, status, processes_of(folder))


def refusal(folder: Path, port: str) -> str:
    """Run a demo that cannot start; return what it says, having left nothing behind."""
    result = subprocess.run(
        COMMAND, cwd=ROOT, env=environment(folder, port), capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 1
    assert result.stdout == ""
    assert not (folder / "microblog.sqlite").exists()
    return result.stderr


def is_told(person: Guest, words: str) -> bool:
    """Say whether somebody has a message with these words."""
    return words in person.open("/messages")


@contextmanager
def signals_as_they_were() -> Iterator[None]:
    """Let a demo in this process leave alone what signals do here."""
    kept = {how: signal.getsignal(how) for how in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for how, handler in kept.items():
            signal.signal(how, handler)


def test_the_first_run_shows_a_community_with_news_for_those_who_log_in(demo: Demo) -> None:
    guest = Guest(demo.url)

    for name in (*GUIDES, PASSWORD):
        assert name in demo.greeting
    page = guest.send("/login?next=/explore", username=GUIDES[0], password=PASSWORD)
    assert re.search(rf'data-notify-badge="new_posts"[^>]*>\s*{NEW_POSTS}\s*<', page)
    assert re.search(rf'data-notify-badge="new_followers"[^>]*>\s*{NEW_FOLLOWERS}\s*<', page)
    assert page.count('<article class="post">') == 12


def test_the_database_is_made_by_the_migrations_in_wal_mode(demo: Demo) -> None:
    with closing(sqlite3.connect(demo.folder / "microblog.sqlite")) as connection:
        [mode] = connection.execute("PRAGMA journal_mode").fetchone()
        [revision] = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        [people] = connection.execute("SELECT count(*) FROM user").fetchone()
    assert mode == "wal"
    assert revision
    assert people >= 12


def test_a_port_that_is_taken_is_named_with_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        complaint = refusal(tmp_path, str(port))

    assert complaint == f"Error: Port {port} is taken; choose another, as in PORT={port + 1} make demo.\n"


@pytest.mark.parametrize("port", ["http", "-1", "65536", "5.5"])
def test_a_port_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("PORT", port)
    monkeypatch.setenv("MICROBLOG_INSTANCE_PATH", str(tmp_path))

    with signals_as_they_were():
        result = create_app().test_cli_runner().invoke(args=["demo"])

    assert result.exit_code == 1
    assert result.output == f"Error: PORT must be a number up to 65535, got {port!r}.\n"
    assert not (tmp_path / "microblog.sqlite").exists()


def test_the_guides_have_messages_of_every_kind_some_seen_and_some_not(demo: Demo) -> None:
    for name in GUIDES:
        guest = Guest(demo.url).log_in(name)
        page = guest.open("/messages")
        assert guest.unread() > 3
        for kind in ("Private messages", "Mentions", "New followers", "Announcements", "Changes", "Actions"):
            assert kind in page, (name, kind)
        assert "and 3 more" in page
        assert page.count("Mark unseen") > guest.unread()
        assert page.count("notify-message-unseen") == guest.unread()


def test_the_guides_have_not_seen_yet_what_became_of_what_they_watch(demo: Demo) -> None:
    for name in GUIDES:
        page = Guest(demo.url).log_in(name).open("/messages")
        for words in (
            "Title: Sunday at ten: the sixth lime tree → Sunday at eleven: the sixth lime tree",
            "All eleven left on their own wings",
            "modified by yuki",
        ):
            assert words in page, (name, words)
    assert "Topic: Help wanted → Around town" in page


def test_what_was_unread_before_has_been_mailed(demo: Demo) -> None:
    guest = Guest(demo.url).log_in(GUIDES[0])

    page = eventually(lambda: "notifications</a>" in guest.open("/mail/") and guest.open("/mail/"))

    mail = re.search(r'href="(/mail/[0-9a-f-]+)"', str(page))
    assert mail
    assert "List-Unsubscribe-Post" in guest.open(mail[1])


def test_a_mail_program_unsubscribes_with_what_stands_in_the_mail_alone(demo: Demo) -> None:
    guest, mail_program = Guest(demo.url).log_in(GUIDES[1]), Guest(demo.url)
    found = eventually(lambda: re.search(r'href="(/mail/[0-9a-f-]+)"', guest.open("/mail/")))
    assert found
    address = re.search(rf"&lt;{re.escape(demo.url)}(unsubscribe/[^&]+)&gt;", guest.open(found[1]))
    assert address

    mail_program.open(address[1])
    asked = guest.open("/preferences")
    mail_program.open(address[1], **{"List-Unsubscribe": "One-Click"})

    assert not re.search(r'<option selected value="never">', asked)
    assert re.search(r'<option selected value="never">', guest.open("/preferences"))


def test_a_message_left_unread_comes_as_mail_whose_link_marks_it_seen(demo: Demo) -> None:
    reader, writer = (Guest(demo.url).log_in(name) for name in ("ines", "priya"))
    reader.see_all()
    assert reader.unread() == 0

    writer.send("/send_message/ines", body="Is the kettle on?")

    assert reader.unread() == 1
    subject = "[Microblog] Private message from priya"
    found = eventually(lambda: re.search(rf'href="(/mail/[0-9a-f-]+)">{re.escape(subject)}<', reader.open("/mail/")))
    assert found
    letter = reader.open(f"{found[1]}/html")
    assert "Is the kettle on?" in letter
    link = re.search(rf'href="{re.escape(demo.url)}(messages/[^"]+)"', letter)
    assert link
    reader.open(link[1])
    assert reader.unread() == 0


def test_the_link_of_a_mail_leads_out_of_its_frame_and_marks_the_message_seen(browser: Browser, demo: Demo) -> None:
    reader, writer = (Guest(demo.url).log_in(name) for name in ("ludo", "pilar"))
    reader.see_all()
    writer.send("/send_message/ludo", body="Is the kettle on?")
    eventually(lambda: "Private message from pilar" in reader.open("/mail/"))
    with browser.new_context(base_url=demo.url) as context:
        page = be_patient(context.new_page())
        log_in(page, "ludo", password=PASSWORD)
        badge(page, "unread_message_count", "1")
        page.goto("/mail/")
        page.get_by_role("link", name="[Microblog] Private message from pilar").click()

        letter = page.frame_locator("iframe.letter")
        letter.get_by_text("Is the kettle on?").wait_for()
        letter.get_by_role("link", name="Open").click()

        page.wait_for_url("**/messages/*")
        expect(page.locator('[data-notify-badge="unread_message_count"]')).to_be_hidden()
    assert reader.unread() == 0


def test_an_announcement_is_brought_to_everybody_by_the_scheduler(announcing_demo: Demo) -> None:
    url = announcing_demo.url
    with closing(sqlite3.connect(announcing_demo.folder / "microblog.sqlite")) as connection:
        names = [name for (name,) in connection.execute("SELECT username FROM user")]
    # Who says it is not told it.
    others = [Guest(url).log_in(name) for name in names if name != ADMINISTRATOR]
    reader, admin = Guest(url).log_in(GUIDES[1]), Guest(url).log_in(ADMINISTRATOR)

    words = {"headline": "Back at ten.", "text": "The database moves.", "is_maintenance": "y"}
    admin.send("/announce", "/actions/announce", **words)

    for person in others:
        eventually(partial(is_told, person, "The database moves."))
    eventually(lambda: re.search(r"data-notify-text[^>]*>Back at ten\.<", reader.open("/explore")))
    eventually(lambda: "Back at ten." in reader.open("/mail/"))


def test_open_pages_are_rung_by_the_site_and_by_the_scheduler(announcing_demo: Demo) -> None:
    url = announcing_demo.url
    reader, admin = Guest(url).log_in(GUIDES[1]), Guest(url).log_in(ADMINISTRATOR)

    with reader.listen() as events:
        wait_for("hello", events)
        admin.send(f"/send_message/{GUIDES[1]}", body="Is the kettle on?")
        wait_for("ring", events)
        assert "Is the kettle on?" in reader.open("/messages")

    words = {"headline": "Open again.", "text": "The database has moved.", "is_maintenance": "y"}
    with reader.listen() as events:
        wait_for("hello", events)
        admin.send("/announce", "/actions/announce", **words)
        wait_for("ring", events)
        eventually(lambda: "The database has moved." in reader.open("/messages"))


def test_the_next_run_keeps_what_people_did(runs: dict[signal.Signals, Run]) -> None:
    first, second, third = runs.values()

    assert [run.feed.count("Written before SIGINT") for run in (first, second, third)] == [0, 1, 1]
    assert [run.feed.count("Written before SIGTERM") for run in (first, second, third)] == [0, 0, 1]


def test_the_demo_pushes_with_a_key_that_it_keeps(runs: dict[signal.Signals, Run]) -> None:
    [key] = {run.key for run in runs.values()}
    found = [re.search(r'data-notify-push-key="([\w-]+)"', run.preferences) for run in runs.values()]

    assert all("Push to my devices" in run.preferences for run in runs.values())
    [public] = {match[1] for match in found if match}
    assert all(found)
    assert public != key


@pytest.mark.skipif(not LISTED.exists(), reason="asks Linux which processes there are")
@pytest.mark.parametrize("how", ENDS)
def test_nothing_is_left_running_however_the_demo_ends(runs: dict[signal.Signals, Run], how: signal.Signals) -> None:
    run = runs[how]

    assert run.processes == 3
    assert run.status == (-how if how is signal.SIGKILL else 0)
    assert run.left == []
