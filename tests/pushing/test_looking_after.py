"""The job, why, the doctor and expiry: what looks after pushes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from flask_notify import signals
from flask_notify.errors import ConfigurationError
from flask_notify.running import expiry
from flask_notify.running.jobs import JOBS, Work
from tests.pushing.post_office import PostOffice, states
from tests.pushing.types import declare

HOUR = 3600


def ask(office: PostOffice, *command: str) -> Any:
    """Return what a command answers to a program."""
    result = office.site.app.test_cli_runner().invoke(args=["notify", *command, "--json"])
    return json.loads(result.stdout)


def findings(office: PostOffice) -> list[tuple[str, str]]:
    """Return what the doctor says of pushes."""
    return [(one["level"], one["what"]) for one in ask(office, "doctor")["findings"] if one["about"] == "push"]


def test_the_job_sends_and_tells(office: PostOffice) -> None:
    susan, (browser,) = office.add("susan")
    office.send("Hello", susan)
    state = office.site.app.extensions["notify"]
    work = Work(office.site.app, office.site.notify.models, state.settings, office.site.notify.message_types, bool)
    (job,) = (job for job in JOBS if job.name == "push")

    with office.site.app.app_context():
        assert job.run(work) == "pushes: 1 sent"
        assert job.run(work) is None
        assert work.push_sender is work.push_sender
    assert browser.titles == ["Hello"]
    assert (job.every, job.alone) == (1, False)


@pytest.mark.databases("sqlite")
def test_without_a_key_the_job_does_nothing(open_office: Callable[..., PostOffice]) -> None:
    office = open_office(NOTIFY_VAPID_PRIVATE_KEY=None)
    state = office.site.app.extensions["notify"]
    work = Work(office.site.app, office.site.notify.models, state.settings, office.site.notify.message_types, bool)
    (job,) = (job for job in JOBS if job.name == "push")

    with office.site.app.app_context():
        assert job.run(work) is None


def test_the_doctor_tells_who_has_subscribed_and_what_waits(office: PostOffice) -> None:
    susan, _ = office.add("susan", browsers=2)
    assert findings(office) == [("ok", "2 browsers have subscribed, 0 pushes wait")]
    office.send("Hello", susan)
    assert findings(office) == [("ok", "2 browsers have subscribed, 2 pushes wait")]
    office.ahead += HOUR

    ((level, what),) = findings(office)

    assert level == "warning"
    assert what == "2 browsers have subscribed, 2 pushes wait, one for 60 minutes: nobody has tried it"


def test_the_doctor_tells_when_a_push_service_does_not_accept_the_key(office: PostOffice) -> None:
    susan, _ = office.add("susan")
    office.services[0].at_push["*"] = lambda _browser: 403
    office.send("Hello", susan)
    office.run()

    _, (level, what) = findings(office)

    assert level == "error"
    assert "1 pushes were not accepted lately; one because the push service said 403" in what


@pytest.mark.databases("sqlite")
def test_the_doctor_tells_that_a_key_is_missing(open_office: Callable[..., PostOffice]) -> None:
    office = open_office()
    office.add("susan")
    without = open_office(NOTIFY_VAPID_PRIVATE_KEY=None)

    assert findings(without) == [("warning", "1 browsers have subscribed, and NOTIFY_VAPID_PRIVATE_KEY is not set")]


@pytest.mark.databases("sqlite")
def test_the_doctor_tells_that_the_extra_is_missing(office: PostOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask_notify.running.doctor.find_spec", lambda _name: None)

    assert ("error", "pywebpush is not installed") in findings(office)


def test_why_tells_what_became_of_each_push(office: PostOffice) -> None:
    declare(office)
    susan, (gone, _) = office.add("susan", browsers=2)
    office.services[0].at_push[gone.endpoint] = lambda _browser: 410
    office.change(susan, lambda user: user.set_push(False, type="private"))
    office.send("one", susan)
    office.run()
    office.send("two", susan)

    told = ask(office, "why", str(susan))

    two, one = told["messages"]
    assert two["push"] == "waits to be pushed"
    dropped, pushed = one["push"].split("; ")
    assert dropped.startswith("not pushed: the push service said 410")
    assert pushed.startswith("pushed at ")
    rules = {verdict["type"]: (verdict["push"], verdict["push_rule"]) for verdict in told["types"]}
    assert rules["system"] == (True, "type")
    assert rules["quiet"] == (False, "type")
    assert rules["private"] == (False, "own for type")
    assert rules["alarm"] == (True, "critical")
    printed = office.site.app.test_cli_runner().invoke(args=["notify", "why", str(susan)]).stdout
    assert "yes, critical" in printed
    assert "pushed at " in printed


def test_old_pushes_go_whatever_became_of_them(office: PostOffice) -> None:
    susan, _ = office.add("susan", browsers=2)
    office.send("sent", susan)
    office.run()
    office.send("never sent", susan)
    settings = office.site.app.extensions["notify"].settings
    models = office.site.notify.models

    def removed(at: float) -> dict[str, int]:
        with office.site.app.app_context():
            return {batch.what: batch.removed for batch in expiry.expire(models, settings, now=at)}

    now = office.site.notify.clock()
    assert removed(now + settings.tombstone_age - 60) == {}
    assert states(office.pushes()) == ["sent", "sent", "pending", "pending"]
    assert removed(now + settings.tombstone_age + 60) == {"pushes": 4}
    assert len(office.subscribed()) == 2


@pytest.mark.databases("sqlite")
def test_pushes_are_kept_for_as_long_as_they_are_worth_showing(open_office: Callable[..., PostOffice]) -> None:
    office = open_office(NOTIFY_PUSH_TTL=200 * HOUR)
    susan, _ = office.add("susan")
    office.send("Hello", susan)
    settings = office.site.app.extensions["notify"].settings
    at = office.site.notify.clock() + 199 * HOUR

    with office.site.app.app_context():
        assert list(expiry.expire(office.site.notify.models, settings, now=at)) == []


def test_who_wants_to_hear_of_pushes_is_told(office: PostOffice) -> None:
    susan, (gone, _) = office.add("susan", browsers=2)
    office.services[0].at_push[gone.endpoint] = lambda _browser: 410
    office.send("Hello", susan)
    (message,) = office.messages(susan)
    heard: list[tuple[str, dict[str, Any]]] = []

    def hear_sent(_sender: Any, **about: Any) -> None:
        heard.append(("sent", about))

    def hear_failed(_sender: Any, **about: Any) -> None:
        heard.append(("failed", about))

    with signals.push_sent.connected_to(hear_sent), signals.push_failed.connected_to(hear_failed):
        office.run()

    about = dict(heard)
    assert set(about) == {"sent", "failed"}
    assert (about["sent"]["recipient_id"], about["sent"]["message_id"]) == (susan, message.id)
    assert about["failed"]["state"] == "dropped"
    assert "410" in about["failed"]["reason"]


@pytest.mark.databases("sqlite")
def test_without_the_extra_nothing_is_begun_and_its_name_is_told(
    office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    susan, _ = office.add("susan")
    office.send("Hello", susan)
    monkeypatch.setitem(sys.modules, "pywebpush", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'flask-notify\[push\]'"):
        office.run()

    assert [(row.state, row.attempts) for row in office.pushes()] == [("pending", 0)]
    monkeypatch.undo()
    assert office.run() == {"sent": 1}
