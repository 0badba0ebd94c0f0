"""Which broker an application has, and what the doctor says of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flask_notify.brokers.memory import hub
from flask_notify.errors import ConfigurationError
from flask_notify.hints.connecting import connector
from flask_notify.hints.process import Hints
from tests.apps import Site, make_app
from tests.servers import free_port

Build = Callable[..., Site]
STREAM = "https://example.org/stream"
PATIENCE = 20.0


def carrier(site: Site) -> Hints | None:
    """Return what carries an application's news."""
    found: Hints | None = site.app.extensions["notify"].carrier
    return found


def findings(site: Site, code: int) -> dict[str, dict[str, str]]:
    """Return what the doctor says of the broker and the hints."""
    result = site.app.test_cli_runner().invoke(args=["notify", "doctor", "--json"])
    assert result.exit_code == code, result.output
    return {found["about"]: found for found in json.loads(result.stdout)["findings"]}


@pytest.fixture
def told(build: Build) -> Iterator[Callable[..., Any]]:
    """Return what a process tells when somebody commits: the hub of the broker in memory."""
    sites: list[Site] = []

    def build_one(**config: Any) -> Site:
        sites.append(build(**config))
        return sites[-1]

    yield build_one
    for site in sites:
        hints = carrier(site)
        if hints is not None:
            hints.stop(PATIENCE)


@pytest.mark.databases("sqlite")
def test_without_a_broker_nobody_is_told(build: Build) -> None:
    site = build()

    assert carrier(site) is None
    assert connector(site.app) is None
    assert "broker" not in findings(site, 1)


@pytest.mark.databases("sqlite")
def test_an_address_is_connected_to_when_there_is_something_to_tell(build: Build) -> None:
    site = build(NOTIFY_BROKER_URL=f"redis://127.0.0.1:{free_port()}")

    connect = connector(site.app)

    assert carrier(site) is not None
    assert connect is not None
    assert connect() is not connect()  # one for each thread


@pytest.mark.databases("postgresql")
@pytest.mark.parametrize("config", [{"NOTIFY_BROKER_URL": "database"}, {"NOTIFY_STREAM_URL": STREAM}])
def test_postgresql_carries_hints_itself_where_it_is_asked_to_or_a_stream_needs_them(
    build: Build, config: dict[str, str]
) -> None:
    site = build(**config)
    connect = connector(site.app)
    assert connect is not None
    broker = connect()

    assert broker.probe().startswith("PostgreSQL ")
    broker.close()
    found = findings(site, 1)
    assert found["broker"]["level"] == found["hints"]["level"] == "ok"


@pytest.mark.databases("sqlite", "mariadb")
def test_another_database_cannot(build: Build) -> None:
    site = build(NOTIFY_BROKER_URL="database")

    with pytest.raises(ConfigurationError, match="LISTEN and NOTIFY"):
        connector(site.app)
    with pytest.raises(ConfigurationError, match="LISTEN and NOTIFY"):
        site.app.test_client().get("/")
    assert "LISTEN and NOTIFY" in findings(site, 1)["broker"]["what"]


@pytest.mark.databases("sqlite")
def test_a_stream_without_anything_that_rings_it_is_an_error_of_the_doctor_and_nobody_elses(build: Build) -> None:
    site = build(NOTIFY_STREAM_URL=STREAM)
    key = site.add_user("susan")

    site.emit(key, "a", 1)

    assert site.client(key).get("/notifications").status_code == 200
    found = findings(site, 1)
    assert found["broker"]["level"] == "error"
    assert "hints" not in found


def test_what_an_adapter_needs_is_missed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.delitem(sys.modules, "flask_notify.brokers.redis", raising=False)

    with pytest.raises(ConfigurationError, match=r"pip install .*flask-notify\[redis\]"):
        make_app("sqlite://", NOTIFY_BROKER_URL="redis://127.0.0.1")


@pytest.mark.databases("sqlite")
def test_the_doctor_asks_the_broker_who_it_is_and_listens_to_itself(told: Build) -> None:
    url = "memory://the-doctor"
    kept = hub(url)
    site = told(NOTIFY_BROKER_URL=url)

    found = findings(site, 1)
    assert (found["broker"]["level"], found["hints"]["level"]) == ("ok", "ok")

    kept.cut_off()
    found = findings(site, 1)
    assert found["broker"]["level"] == "error"
    assert "cut off" in found["broker"]["what"]
    assert "hints" not in found


@pytest.mark.databases("sqlite")
def test_no_password_is_shown_by_the_doctor(build: Build) -> None:
    site = build(NOTIFY_BROKER_URL=f"redis://:open-sesame@127.0.0.1:{free_port()}/1")

    what = findings(site, 1)["broker"]["what"]

    assert "127.0.0.1" in what
    assert "sesame" not in what
