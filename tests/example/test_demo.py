"""`flask --app examples.microblog demo`, run as a person runs it: in a process of its own."""

from __future__ import annotations

import re
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from examples.microblog.demo.community import ADMINISTRATOR, GUIDES, NEW_FOLLOWERS, NEW_POSTS, PASSWORD
from tests.example.running import COMMAND, ROOT, Demo, Guest, environment, eventually, processes_of

pytestmark = pytest.mark.slow

RunDemo = Callable[[], Demo]


def refusal(folder: Path, port: str) -> str:
    """Run a demo that cannot start; return what it says, having left nothing behind."""
    result = subprocess.run(
        COMMAND, cwd=ROOT, env=environment(folder, port), capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 1
    assert result.stdout == ""
    assert not (folder / "microblog.sqlite").exists()
    return result.stderr


def test_the_first_run_shows_a_community_with_news_for_those_who_log_in(run_demo: RunDemo) -> None:
    demo = run_demo()
    guest = Guest(demo.url)

    for name in (*GUIDES, PASSWORD):
        assert name in demo.greeting
    page = guest.send("/login?next=/explore", username=GUIDES[0], password=PASSWORD)
    assert re.search(rf'data-notify-badge="new_posts"[^>]*>\s*{NEW_POSTS}\s*<', page)
    assert re.search(rf'data-notify-badge="new_followers"[^>]*>\s*{NEW_FOLLOWERS}\s*<', page)
    assert page.count('<article class="post">') == 12
    assert demo.stop() == 0


def test_the_second_run_keeps_what_people_did(run_demo: RunDemo) -> None:
    first = run_demo()
    guest = Guest(first.url)
    guest.send("/login", username=GUIDES[0], password=PASSWORD)
    guest.send("/", body="Still here tomorrow?")
    assert first.stop() == 0

    second = run_demo()
    guest.url = second.url

    assert guest.open("/").count("Still here tomorrow?") == 1


def test_the_database_is_made_by_the_migrations_in_wal_mode(run_demo: RunDemo, tmp_path: Path) -> None:
    run_demo()

    with closing(sqlite3.connect(tmp_path / "microblog.sqlite")) as connection:
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
def test_a_port_that_is_none_is_refused(tmp_path: Path, port: str) -> None:
    assert refusal(tmp_path, port) == f"Error: PORT must be a number up to 65535, got {port!r}.\n"


def test_the_guides_have_messages_of_every_kind_some_seen_and_some_not(run_demo: RunDemo) -> None:
    demo = run_demo()

    for name in GUIDES:
        guest = Guest(demo.url).log_in(name)
        page = guest.open("/messages")
        assert guest.unread() > 3
        for kind in ("Private messages", "Mentions", "New followers", "Announcements", "Changes", "Actions"):
            assert kind in page, (name, kind)
        assert "and 3 more" in page
        assert page.count("Mark unseen") > guest.unread()
        assert page.count("notify-message-unseen") == guest.unread()


def test_the_guides_have_not_seen_yet_what_became_of_what_they_watch(run_demo: RunDemo) -> None:
    demo = run_demo()

    for name in GUIDES:
        page = Guest(demo.url).log_in(name).open("/messages")
        for words in (
            "Title: Sunday at ten: the sixth lime tree → Sunday at eleven: the sixth lime tree",
            "All eleven left on their own wings",
            "modified by yuki",
        ):
            assert words in page, (name, words)
    assert "Topic: Help wanted → Around town" in page


def test_what_was_unread_before_has_been_mailed(run_demo: RunDemo) -> None:
    guest = Guest(run_demo().url).log_in(GUIDES[0])

    page = eventually(lambda: "notifications</a>" in guest.open("/mail/") and guest.open("/mail/"))

    mail = re.search(r'href="(/mail/[0-9a-f-]+)"', str(page))
    assert mail
    assert "List-Unsubscribe-Post" in guest.open(mail[1])


def test_the_demo_pushes_with_a_key_that_it_keeps(run_demo: RunDemo, tmp_path: Path) -> None:
    demo = run_demo()
    key = (tmp_path / "vapid_private_key").read_text()
    page = Guest(demo.url).log_in(GUIDES[0]).open("/preferences")
    assert "Push to my devices" in page
    public = re.search(r'data-notify-push-key="([\w-]+)"', page)
    demo.stop()

    page = Guest(run_demo().url).log_in(GUIDES[0]).open("/preferences")

    assert (tmp_path / "vapid_private_key").read_text() == key
    found = re.search(r'data-notify-push-key="([\w-]+)"', page)
    assert public
    assert found
    assert found[1] == public[1] != key


def test_a_mail_program_unsubscribes_with_what_stands_in_the_mail_alone(run_demo: RunDemo) -> None:
    demo = run_demo()
    guest, mail_program = Guest(demo.url).log_in(GUIDES[0]), Guest(demo.url)
    found = eventually(lambda: re.search(r'href="(/mail/[0-9a-f-]+)"', guest.open("/mail/")))
    assert found
    address = re.search(rf"&lt;{re.escape(demo.url)}(unsubscribe/[^&]+)&gt;", guest.open(found[1]))
    assert address

    mail_program.open(address[1])
    asked = guest.open("/preferences")
    mail_program.open(address[1], **{"List-Unsubscribe": "One-Click"})

    assert not re.search(r'<option selected value="never">', asked)
    assert re.search(r'<option selected value="never">', guest.open("/preferences"))


def test_a_message_left_unread_comes_as_mail_whose_link_marks_it_seen(run_demo: RunDemo) -> None:
    demo = run_demo()
    reader, writer = (Guest(demo.url).log_in(name) for name in GUIDES)
    reader.see_all()
    assert reader.unread() == 0

    writer.send(f"/send_message/{GUIDES[0]}", body="Is the kettle on?")

    assert reader.unread() == 1
    subject = f"[Microblog] Private message from {GUIDES[1]}"
    found = eventually(lambda: re.search(rf'href="(/mail/[0-9a-f-]+)">{re.escape(subject)}<', reader.open("/mail/")))
    assert found
    letter = reader.open(f"{found[1]}/html")
    assert "Is the kettle on?" in letter
    link = re.search(rf'href="{re.escape(demo.url)}(messages/[^"]+)"', letter)
    assert link
    reader.open(link[1])
    assert reader.unread() == 0


def test_an_announcement_is_brought_to_everybody_by_the_scheduler(run_demo: RunDemo) -> None:
    demo = run_demo()
    reader, admin = Guest(demo.url).log_in(GUIDES[1]), Guest(demo.url).log_in(ADMINISTRATOR)

    words = {"headline": "Back at ten.", "text": "The database moves.", "is_maintenance": "y"}
    admin.send("/announce", "/actions/announce", **words)

    eventually(lambda: "The database moves." in reader.open("/messages"))
    eventually(lambda: re.search(r"data-notify-text[^>]*>Back at ten\.<", reader.open("/explore")))
    eventually(lambda: "Back at ten." in reader.open("/mail/"))


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="asks Linux which processes there are")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_running_however_the_demo_ends(run_demo: RunDemo, tmp_path: Path, how: signal.Signals) -> None:
    demo = run_demo()
    eventually(lambda: len(processes_of(tmp_path)) == 3)

    status = demo.end(how)

    assert status == (-how if how is signal.SIGKILL else 0)
    eventually(lambda: processes_of(tmp_path) == [])


def test_open_pages_are_rung_by_the_site_and_by_the_scheduler(run_demo: RunDemo) -> None:
    demo = run_demo()
    reader, admin = Guest(demo.url).log_in(GUIDES[1]), Guest(demo.url).log_in(ADMINISTRATOR)

    with reader.listen() as rings:
        assert next(rings) == "hello"
        admin.send(f"/send_message/{GUIDES[1]}", body="Is the kettle on?")
        assert next(rings) == "ring"
        assert "Is the kettle on?" in reader.open("/messages")

    words = {"headline": "Back at ten.", "text": "The database moves.", "is_maintenance": "y"}
    with reader.listen() as rings:
        assert next(rings) == "hello"
        admin.send("/announce", "/actions/announce", **words)
        assert next(rings) == "ring"
        eventually(lambda: "The database moves." in reader.open("/messages"))
