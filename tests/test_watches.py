"""Watching and muting objects: what is stored at the commit, and what the rules make of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from flask_notify.errors import InvalidMessage, InvalidPreference, InvalidWatch
from flask_notify.messages import watches
from flask_notify.rules import MailMode
from tests.apps import Site
from tests.notes import add_models, messages_of
from tests.watched import Stage


@pytest.fixture
def stage(site: Site) -> Iterator[Stage]:
    """A site with three models, in its application's context."""
    models = add_models(site)
    with site.app.app_context():
        yield Stage(site, **models)


@pytest.fixture
def susan(stage: Stage) -> Any:
    """A user."""
    return stage.site.user(stage.site.add_user("susan"))


@pytest.fixture
def john(stage: Stage) -> Any:
    """Another user."""
    return stage.site.user(stage.site.add_user("john"))


@pytest.fixture
def post(stage: Stage) -> Any:
    """Something to watch."""
    post = stage.Post(title="News")
    stage.add(post)
    return post


def test_a_watch_is_stored_by_the_commit(stage: Stage, susan: Any, john: Any, post: Any) -> None:
    stage.watch(post, susan)

    assert stage.rows() == []
    stage.session.commit()
    assert stage.rows() == [(susan.id, "Post", str(post.id), None)]
    assert stage.is_watched(post, susan)
    assert not stage.is_watched(post, john)
    assert stage.watchers(post) == [susan]


def test_what_waits_for_the_commit_is_told_already(stage: Stage, susan: Any, john: Any, post: Any) -> None:
    stage.watch(post, john)
    stage.session.commit()

    stage.watch(post, susan)
    stage.unwatch(post, john)

    assert stage.watchers(post) == [susan]
    assert stage.is_watched(post, susan)
    assert not stage.is_watched(post, john)


def test_a_rollback_leaves_the_watches_as_they_were(stage: Stage, susan: Any, john: Any, post: Any) -> None:
    stage.watch(post, susan)
    savepoint = stage.session.begin_nested()
    stage.watch(post, john)
    assert stage.watchers(post) == [susan, john]
    savepoint.rollback()
    assert stage.watchers(post) == [susan]

    stage.session.rollback()

    assert stage.watchers(post) == []
    stage.session.commit()
    assert stage.rows() == []


def test_watching_twice_is_watching_once(stage: Stage, susan: Any, post: Any) -> None:
    for _ in range(2):
        stage.watch(post, susan)
        stage.watch(post, susan)
        stage.session.commit()

    assert stage.rows() == [(susan.id, "Post", str(post.id), None)]


def test_who_watches_again_keeps_their_mode(stage: Stage, susan: Any, post: Any) -> None:
    stage.watch(post, susan, "daily")
    stage.session.commit()

    stage.watch(post, susan)
    stage.session.commit()

    assert stage.rows() == [(susan.id, "Post", str(post.id), "daily")]


def test_the_last_mode_counts(stage: Stage, susan: Any, post: Any) -> None:
    stage.watch(post, susan, "daily")
    stage.watch(post, susan, MailMode.WEEKLY)
    stage.session.commit()
    assert [row[3] for row in stage.rows()] == ["weekly"]

    stage.unwatch(post, susan)
    stage.watch(post, susan)
    stage.session.commit()

    assert [row[3] for row in stage.rows()] == [None]


def test_who_watches_no_longer_is_no_watcher(stage: Stage, susan: Any, john: Any, post: Any) -> None:
    stage.watch(post, susan, "daily")
    stage.watch(post, john)
    stage.session.commit()

    stage.unwatch(post, susan)
    stage.session.commit()

    assert stage.watchers(post) == [john]
    assert stage.rows() == [(john.id, "Post", str(post.id), None)]
    stage.unwatch(post, susan)
    stage.session.commit()


def test_who_has_muted_an_object_is_no_watcher_of_it(stage: Stage, susan: Any, post: Any) -> None:
    stage.watch(post, susan)
    stage.mute(post, susan)

    assert stage.is_muted(post, susan)
    assert not stage.is_watched(post, susan)
    assert stage.watchers(post) == []
    stage.session.commit()
    assert stage.rows() == [(susan.id, "Post", str(post.id), "silent")]
    assert stage.is_muted(post, susan)
    assert not stage.is_watched(post, susan)
    assert stage.watchers(post) == []


def test_a_mute_stays_until_it_is_taken_back(stage: Stage, susan: Any, post: Any) -> None:
    stage.mute(post, susan)
    stage.unwatch(post, susan)
    stage.session.commit()
    assert stage.is_muted(post, susan)

    stage.unmute(post, susan)
    stage.session.commit()

    assert not stage.is_muted(post, susan)
    assert stage.rows() == []


def test_unmuting_what_is_not_muted_changes_nothing(stage: Stage, susan: Any, post: Any) -> None:
    stage.watch(post, susan, "weekly")
    stage.unmute(post, susan)
    stage.session.commit()

    assert [row[3] for row in stage.rows()] == ["weekly"]


def test_watching_ends_a_mute(stage: Stage, susan: Any, post: Any) -> None:
    stage.mute(post, susan)
    stage.session.commit()

    stage.watch(post, susan)
    stage.session.commit()

    assert stage.is_watched(post, susan)
    assert [row[3] for row in stage.rows()] == [None]


def test_what_was_only_just_added_can_be_watched(stage: Stage) -> None:
    user, post = stage.site.User(name="new"), stage.Post()
    stage.session.add_all([user, post])

    stage.watch(post, user)
    stage.session.commit()

    assert stage.rows() == [(user.id, "Post", str(post.id), None)]
    assert stage.watchers(post) == [user]


def test_keys_of_text_are_told_apart_by_case(stage: Stage, susan: Any) -> None:
    home = stage.Page(id="Home")
    stage.add(home)
    stage.watch(home, susan, "daily")
    stage.session.commit()

    connection, objects = stage.session.connection(), [("Page", "home"), ("page", "Home")]
    assert watches.watchers_of(connection, stage.models, objects) == {}
    assert watches.modes_of(connection, stage.models, [susan.id], objects) == {}


def test_only_users_watch(stage: Stage, post: Any) -> None:
    for nobody in (None, 7, "susan", post):
        with pytest.raises(InvalidWatch, match="Who watches must be a User, got"):
            stage.watch(post, nobody)
    with pytest.raises(InvalidWatch, match="must be in the session"):
        stage.watch(post, stage.site.User(name="nowhere"))


def test_only_stored_objects_are_watched(stage: Stage, susan: Any) -> None:
    for nothing in (7, "post", object()):
        with pytest.raises(InvalidMessage, match="an object of a model with a key of one column"):
            stage.watch(nothing, susan)
    with pytest.raises(InvalidWatch, match="must be an object of a model, got None"):
        stage.watch(None, susan)
    with pytest.raises(InvalidMessage, match="Add it first"):
        stage.watch(stage.Post(), susan)


def test_an_unknown_mode_is_refused_with_the_list(stage: Stage, susan: Any, post: Any) -> None:
    with pytest.raises(InvalidPreference, match="one of silent, never, often, daily, weekly"):
        stage.watch(post, susan, "hourly")


def test_a_muted_object_is_silent(stage: Stage, susan: Any, john: Any, post: Any) -> None:
    stage.mute(post, susan)
    stage.session.commit()

    stage.site.notify.send("Edited", to=[(susan, "often"), john], target=post)
    stage.session.commit()

    assert messages_of(stage.site, susan.id) == []
    assert len(messages_of(stage.site, john.id)) == 1


def test_the_mode_for_an_object_is_nearer_than_that_in_general(stage: Stage, susan: Any, post: Any) -> None:
    susan.set_mail_mode("weekly")
    stage.watch(post, susan, "daily")
    stage.session.commit()

    stage.site.notify.send("Edited", to=susan, target=post)
    stage.site.notify.send("News", to=susan)
    stage.session.commit()

    told = [(message.subject, message.mail_mode, message.rule) for message in messages_of(stage.site, susan.id)]
    assert told == [("Edited", "daily", "own for watch"), ("News", "weekly", "own")]


def test_a_mute_holds_for_what_is_sent_in_the_same_transaction(stage: Stage, susan: Any, post: Any) -> None:
    stage.site.notify.send("Edited", to=susan, target=post)
    stage.mute(post, susan)
    stage.session.commit()

    assert messages_of(stage.site, susan.id) == []


def test_objects_that_are_deleted_are_forgotten_after_they_are_told_of(
    stage: Stage, susan: Any, john: Any, post: Any
) -> None:
    stay = stage.Post()
    stage.add(stay)
    stage.watch(post, susan, "daily")
    stage.mute(post, john)
    stage.watch(stay, susan)
    stage.session.commit()

    found = watches.watchers_of(stage.session.connection(), stage.models, [("Post", str(post.id))])
    assert set(found) == {("Post", str(post.id))}
    assert set(found["Post", str(post.id)]) == {(susan.id, MailMode.DAILY), (john.id, MailMode.SILENT)}
    stage.site.notify.send("Deleted", to=[susan, john], target=post)
    stage.session.delete(post)
    watches.forget_deleted(stage.models, found)
    stage.session.commit()

    assert stage.rows() == [(susan.id, "Post", str(stay.id), None)]
    assert [message.mail_mode for message in messages_of(stage.site, susan.id)] == ["daily"]
    assert messages_of(stage.site, john.id) == []


def test_who_gets_a_key_anew_has_no_watchers(stage: Stage, susan: Any, john: Any, post: Any) -> None:
    stage.watch(post, susan)
    stage.mute(post, john)
    stage.session.commit()

    watches.forget(stage.session.connection(), stage.models, "Post", [post.id, 4711])
    stage.session.commit()

    assert stage.rows() == []


@pytest.mark.databases("sqlite")
def test_who_gets_the_key_of_a_deleted_user_watches_nothing(stage: Stage, susan: Any, post: Any) -> None:
    key = susan.id
    stage.watch(post, susan)
    stage.session.commit()
    stage.session.delete(susan)
    stage.session.commit()

    another = stage.site.User(name="another")
    stage.add(another)

    assert another.id == key
    assert not stage.is_watched(post, another)


def test_a_user_who_is_deleted_watches_nothing(stage: Stage, susan: Any, post: Any) -> None:
    stage.watch(post, susan)
    stage.session.commit()

    stage.session.delete(susan)
    stage.session.commit()

    assert stage.rows() == []
    assert stage.watchers(post) == []


def test_users_of_every_kind_of_key_watch(any_site: Site) -> None:
    posts = add_models(any_site)["Post"]
    with any_site.app.app_context():
        stage = Stage(any_site, posts, None, None)
        ann, bob = (any_site.user(any_site.add_user(name)) for name in ("ann", "bob"))
        one, two = posts(), posts()
        stage.add(one, two)
        stage.watch(one, ann, "daily")
        stage.watch(one, bob)
        stage.mute(two, bob)
        stage.session.commit()

        any_site.notify.send("Edited", to=[ann, bob], target=one)
        any_site.notify.send("Edited", to=[ann, bob], target=two)
        stage.session.commit()
        assert [message.rule for message in messages_of(any_site, ann.id)] == ["own for watch", "default"]
        assert [message.rule for message in messages_of(any_site, bob.id)] == ["default"]

        stage.unwatch(one, bob)
        stage.watch(one, ann, "weekly")
        stage.session.commit()
        assert stage.watchers(one) == [ann]
        assert [message.mail_mode for message in messages_of(any_site, ann.id)] == ["weekly", "often"]

        found = watches.watchers_of(stage.session.connection(), stage.models, [("Post", str(one.id))])
        assert found == {("Post", str(one.id)): [(ann.id, MailMode.WEEKLY)]}
        watches.forget_deleted(stage.models, found)
        watches.forget(stage.session.connection(), stage.models, "Post", [two.id])
        stage.session.commit()
        assert stage.rows() == []
