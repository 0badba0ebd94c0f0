"""``flask notify expire`` and ``digest``: what `run` does, once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import Column, String, select

from tests.apps import Site
from tests.servers.smtp import SMTPServer
from tests.test_expiry import put


def call(site: Site, *arguments: str) -> Result:
    return site.app.test_cli_runner().invoke(args=["notify", *arguments])


def ask(site: Site, *arguments: str) -> Any:
    result = call(site, *arguments, "--json")
    assert result.exit_code == 0, (result.output, result.exc_info)
    return json.loads(result.stdout)


def test_expire_removes_what_is_old_and_says_how_much(site: Site) -> None:
    susan = site.add_user("susan")
    put(site, susan, 3, seen_at=5.0)

    assert ask(site, "expire") == {"removed": {"messages": 3}}
    assert ask(site, "expire") == {"removed": {}}

    put(site, susan, 2, seen_at=5.0)
    assert "Removed 2 messages." in call(site, "expire").output
    assert "Nothing was old enough." in call(site, "expire").output


@pytest.fixture
def smtp() -> Iterator[SMTPServer]:
    """A mail server that takes every mail."""
    server = SMTPServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def open_site(build: Callable[..., Site], smtp: SMTPServer) -> Callable[..., Site]:
    """Build an application with two users who have a message each; one of them has an address."""

    def open_one(**config: Any) -> Site:
        defaults = {
            "NOTIFY_BASE_URL": "https://example.org",
            "NOTIFY_MAIL_SENDER": "news@example.org",
            "NOTIFY_OFTEN_DELAY": 0,
            "MAIL_SERVER": "127.0.0.1",
            "MAIL_PORT": smtp.port,
            "MAIL_SUPPRESS_SEND": False,
        }
        site = build(attributes={"email": Column(String(64))}, **{**defaults, **config})
        keys = [site.add_user("ann", email="ann@example.org"), site.add_user("bob")]
        with site.app.app_context():
            site.notify.send("Backup finished", to=[site.user(key) for key in keys])
            site.db.session.commit()
        return site

    return open_one


def rows(site: Site) -> list[Any]:
    """Return all that a digest could change."""
    models = site.notify.models
    with site.app.app_context(), site.db.engine.connect() as connection:
        return [connection.execute(select(table)).all() for table in (models.inbox, models.message, models.mail)]


def test_digest_sends_what_is_due(open_site: Callable[..., Site], smtp: SMTPServer) -> None:
    site = open_site()

    assert ask(site, "digest") == {"outcomes": {"sent": 1, "skipped": 1, "stored": 1}, "problem": None}

    assert len(smtp.to("ann@example.org")) == 1
    assert call(site, "digest").output == "Nothing to do\n"


def test_a_dry_run_tells_for_whom_what_would_be_sent_and_writes_nothing(
    open_site: Callable[..., Site], smtp: SMTPServer
) -> None:
    site = open_site()
    before = rows(site)

    told = {mail["subject"] or mail["reason"]: mail["messages"] for mail in ask(site, "digest", "--dry-run")["mails"]}
    output = call(site, "digest", "--dry-run").output

    assert told == {"Backup finished": 1, "the user has no address": 1}
    assert "RECIPIENT  MESSAGES  MAIL" in output
    assert "Backup finished" in output
    assert "ann@example.org" not in output
    assert rows(site) == before
    assert smtp.received == []

    call(site, "digest")
    assert call(site, "digest", "--dry-run").output == "No mail is due.\n"


@pytest.mark.databases("sqlite")
def test_the_exit_code_tells_that_no_mail_can_go_out(open_site: Callable[..., Site]) -> None:
    site = open_site(NOTIFY_BASE_URL=None)

    result = call(site, "digest", "--json")

    assert result.exit_code == 1
    assert "NOTIFY_BASE_URL is not set" in json.loads(result.stdout)["problem"]


@pytest.mark.databases("sqlite")
def test_without_tables_it_says_what_to_do(build: Callable[..., Site]) -> None:
    site = build(tables=False)

    result = call(site, "expire")

    assert result.exit_code == 1
    assert "no such table" in result.output
    assert "flask notify doctor" in result.output
    assert "Traceback" not in result.output
