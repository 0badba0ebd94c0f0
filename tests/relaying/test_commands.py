"""``flask notify relay``, and what ``doctor`` tells of the messages that wait."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flask_notify.brokers.memory import Hub, hub
from flask_notify.running import doctor
from tests.apps import Site
from tests.relaying.conftest import SETTINGS, said

pytestmark = pytest.mark.databases("sqlite")


@pytest.fixture
def url() -> str:
    """The address of a broker of this test's own."""
    return f"memory://{uuid.uuid4()}"


@pytest.fixture
def broker(url: str) -> Hub:
    """The broker."""
    return hub(url)


@pytest.fixture
def site(build: Callable[..., Site], url: str) -> Iterator[Site]:
    """An application with two messages that wait for it."""
    site = build(**{**SETTINGS, "NOTIFY_BROKER_URL": url})
    key = site.add_user("susan")
    with site.app.app_context():
        site.notify.send("one", to=site.user(key))
        site.notify.send("two", to=site.user(key))
        site.db.session.commit()
    yield site
    site.notify.clock = site.notify.models.clock


def invoke(site: Site, *arguments: str) -> Any:
    return site.app.test_cli_runner().invoke(args=["notify", *arguments])


def findings(site: Site) -> list[doctor.Finding]:
    with site.app.app_context():
        found = doctor.examine(site.app, site.notify.models, site.app.extensions["notify"].settings)
        return [finding for finding in found if finding.about == "relay"]


def test_it_takes_what_waits_to_the_queues(site: Site, broker: Hub) -> None:
    result = invoke(site, "relay")

    assert (result.exit_code, result.output.splitlines()[-1]) == (0, "Relayed 2 messages.")
    assert [json.loads(letter.body)["message"] for letter in broker.letters("_notifs_1")] == ["one", "two"]
    assert said(site) == []
    assert json.loads(invoke(site, "relay", "--json").output) == {"relayed": 0, "left": 0}


def test_a_broker_that_is_away_is_an_error_and_nothing_is_lost(site: Site, broker: Hub) -> None:
    broker.cut_off()

    result = invoke(site, "relay")

    assert result.exit_code == 1
    assert "Error: The broker in memory has been cut off" in result.output
    assert said(site) == ["one", "two"]


def test_without_queues_there_is_nothing_to_relay(build: Callable[..., Site]) -> None:
    result = invoke(build(), "relay")

    assert result.exit_code == 2
    assert "NOTIFY_RELAY_QUEUES is off" in result.output


def test_doctor_tells_how_much_waits_and_for_how_long(site: Site) -> None:
    assert findings(site) == [doctor.Finding("ok", "relay", "2 messages wait for the broker")]

    now = site.notify.clock()
    site.notify.clock = lambda: now + 600
    (finding,) = findings(site)

    assert (finding.level, finding.what) == ("warning", "2 messages wait for the broker, for 10 minutes")
    assert "flask notify relay" in finding.remedy


def test_doctor_tells_of_messages_that_nobody_will_relay(site: Site, build: Callable[..., Site]) -> None:
    without = build(tables=False)

    (finding,) = findings(without)

    assert (finding.level, "NOTIFY_RELAY_QUEUES is off" in finding.what) == ("warning", True)
    invoke(site, "relay")
    assert findings(without) == []
