"""What a watch says of how a message reaches its recipient: when it is sent, when many get it, and while it waits."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event, select

from flask_notify import MessageType
from flask_notify.messages.message_types import Private
from tests.apps import Site
from tests.notes import add_models, messages_of
from tests.watched import Stage

NOON = 1_790_000_000.0


class Alarm(MessageType):
    """One that cannot be masked."""

    critical = True

    def subject(self, recipient: Any) -> str:  # noqa: ARG002
        return "Alarm"


class Told(MessageType):
    """One with a mode of its own."""

    mail_mode = "weekly"

    def subject(self, recipient: Any) -> str:  # noqa: ARG002
        return "Told"


@pytest.fixture
def stage(build: Callable[..., Site]) -> Iterator[Stage]:
    """A site where three recipients are many, in its application's context."""
    site = build(NOTIFY_INLINE_RECIPIENTS=2)
    for kind in (Alarm, Told):
        site.notify.message_type(kind)
    models = add_models(site)
    site.notify.clock = lambda: NOON
    with site.app.app_context():
        yield Stage(site, **models)


@pytest.fixture
def people(stage: Stage) -> list[Any]:
    """Three users."""
    return [stage.site.user(stage.site.add_user(name)) for name in ("susan", "john", "david")]


@pytest.fixture
def post(stage: Stage) -> Any:
    """Something to watch."""
    post = stage.Post(title="News")
    stage.add(post)
    return post


def told(stage: Stage, user: Any) -> list[tuple[str, str, str]]:
    messages = messages_of(stage.site, user.id)
    return [(message.subject, message.mail_mode, message.rule) for message in messages]


def due(stage: Stage, user: Any) -> list[float | None]:
    stage.session.expire_all()
    return [message._mail_due_at for message in messages_of(stage.site, user.id)]


def test_a_mode_for_an_object_is_asked_for_that_object_alone(stage: Stage, people: list[Any], post: Any) -> None:
    susan, _, _ = people
    other = stage.Post()
    stage.add(other)
    stage.watch(post, susan, "daily")
    stage.mute(other, susan)
    stage.session.commit()

    for target in (post, other, None):
        stage.site.notify.send(f"{target is post}", to=susan, target=target)
    stage.session.commit()

    assert told(stage, susan) == [("True", "daily", "own for watch"), ("False", "often", "default")]


def test_a_muted_object_stops_messages_of_every_type_but_critical_ones(
    stage: Stage, people: list[Any], post: Any
) -> None:
    susan, john, _ = people
    susan.set_mail_mode("daily", type="told")
    stage.mute(post, susan)
    stage.session.commit()

    for what in (Private(sender=john, text="Psst", target=post), Told(target=post), Alarm(target=post)):
        stage.site.notify.send(what, to=[(susan, "often")])
    stage.session.commit()

    assert told(stage, susan) == [("Alarm", "often", "critical")]


def test_many_recipients_get_it_each_in_their_own_mode_for_the_object(
    stage: Stage, people: list[Any], post: Any
) -> None:
    susan, john, david = people
    stage.watch(post, susan, "daily")
    stage.mute(post, john)
    stage.session.commit()

    assert stage.site.notify.send(Told(target=post), to=select(stage.site.User.id)) == 3
    stage.session.commit()

    assert stage.site.notify.drain() == 0, "nobody is left"
    assert told(stage, susan) == [("Told", "daily", "own for watch")]
    assert told(stage, john) == []
    assert told(stage, david) == [("Told", "weekly", "type")]


def test_what_has_no_target_asks_for_no_watches(stage: Stage, people: list[Any], post: Any) -> None:
    asked: list[str] = []
    event.listen(stage.site.db.engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))

    for recipients in (people[:2], people):
        stage.site.notify.send("News", to=recipients)
        stage.session.commit()
    assert [statement for statement in asked if "notify_watch" in statement] == []

    stage.site.notify.send("News", to=people[:2], target=post)
    before = [statement for statement in asked if "notify_watch" in statement]
    stage.session.commit()

    after = [statement for statement in asked if "notify_watch" in statement]
    assert (len(before), len(after)) == (1, 2)


def test_a_new_mode_for_an_object_moves_the_mail_that_waits(stage: Stage, people: list[Any], post: Any) -> None:
    susan, john, _ = people
    for user in (susan, john):
        stage.site.notify.send("Edited", to=user, target=post)
        stage.site.notify.send("News", to=user)
    stage.session.commit()
    soon = due(stage, susan)

    stage.watch(post, susan, "daily")
    stage.session.commit()

    assert told(stage, susan) == [("Edited", "daily", "own for watch"), ("News", "often", "default")]
    later = due(stage, susan)
    assert later[0] is not None
    assert later[0] > NOON + 300
    assert later[1] == soon[1] == NOON + 300
    assert due(stage, john) == soon


def test_muting_an_object_cancels_the_mail_that_waits(stage: Stage, people: list[Any], post: Any) -> None:
    susan, _, _ = people
    stage.site.notify.send("Edited", to=susan, target=post)
    stage.session.commit()

    stage.mute(post, susan)
    stage.session.commit()

    assert told(stage, susan) == [("Edited", "never", "own for watch")]
    assert due(stage, susan) == [None]
    assert stage.session.get(stage.site.notify.Inbox, susan.id).mail_due_at is None


def test_what_is_watched_no_longer_goes_back_to_the_mode_in_general(stage: Stage, people: list[Any], post: Any) -> None:
    susan, _, _ = people
    stage.watch(post, susan, "weekly")
    stage.session.commit()
    stage.site.notify.send("Edited", to=susan, target=post)
    stage.session.commit()
    assert told(stage, susan) == [("Edited", "weekly", "own for watch")]

    stage.unwatch(post, susan)
    stage.session.commit()

    assert told(stage, susan) == [("Edited", "often", "default")]
    assert due(stage, susan) == [NOON + 300]


def test_a_new_mode_in_general_leaves_what_is_watched_in_its_own(stage: Stage, people: list[Any], post: Any) -> None:
    susan, _, _ = people
    stage.watch(post, susan, "weekly")
    stage.session.commit()
    stage.site.notify.send("Edited", to=susan, target=post)
    stage.session.commit()

    susan.set_mail_mode("daily")
    stage.session.commit()

    assert told(stage, susan) == [("Edited", "weekly", "own for watch")]


def test_why_names_the_mode_for_the_object(stage: Stage, people: list[Any], post: Any) -> None:
    susan, _, _ = people
    stage.watch(post, susan, "weekly")
    stage.session.commit()
    stage.site.notify.send("Edited", to=susan, target=post)
    stage.session.commit()

    runner = stage.site.app.test_cli_runner()
    answer = json.loads(runner.invoke(args=["notify", "why", "susan", "--json"]).stdout)

    [message] = answer["messages"]
    assert (message["rule"], message["meaning"]) == ("own for watch", "the recipient's mode for this object")


def test_why_names_what_is_muted(stage: Stage, people: list[Any], post: Any) -> None:
    susan, john, _ = people
    other = stage.Post()
    stage.add(other)
    stage.mute(post, susan)
    stage.watch(other, susan)
    stage.mute(other, john)
    stage.session.commit()

    runner = stage.site.app.test_cli_runner()
    answer = json.loads(runner.invoke(args=["notify", "why", "susan", "--json"]).stdout)
    text = runner.invoke(args=["notify", "why", "susan"]).stdout

    meaning = "the recipient's mode for this object"
    assert answer["objects"] == [{"object": f"Post {post.id}", "mail_mode": "silent", "meaning": meaning}]
    assert re.search(rf"^Post {post.id} +silent +{meaning}$", text, re.MULTILINE)


def test_an_object_that_is_watched_again_and_again_asks_for_no_mail(stage: Stage, people: list[Any], post: Any) -> None:
    stage.watch(post, people[0])
    stage.session.commit()
    asked: list[str] = []
    event.listen(stage.site.db.engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))

    stage.watch(post, people[0])
    stage.session.commit()

    changed = [statement for statement in asked if "notify_watch" in statement and "SELECT" not in statement]
    assert changed == []
    assert [statement for statement in asked if "notify_message" in statement] == []
