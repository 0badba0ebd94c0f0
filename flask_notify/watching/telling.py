"""Telling the watchers what has become of an object, when its transaction commits.

However many objects have changed, the watchers, the objects that foreign keys refer to, and what
the rules ask for are read in few statements; a text is rendered once for each object and language.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import current_app, has_app_context
from sqlalchemy import inspect, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import SelectBase

from .. import emission, inbox, recipient
from ..config import Settings
from ..emission import ByKey
from ..errors import InvalidMessage
from ..language import current_language_key, in_language
from ..messages import fanout, sending, watch_rows, watches
from ..messages.message_types import Changed, Registry, Text, text_of
from ..messages.outgoing import Outgoing, outgoing
from ..messages.sending import Recipient
from ..messages.watches import WatchChange
from ..models import Models, RecipientKey
from ..rules import MailMode
from ..site import visited
from ..visibility import is_limited
from .changes import Noticed, fold
from .labels import Referred
from .sight import Sight
from .summary import describe

_BATCH = 1_000

_IN_BULK = "_flask_notify_in_bulk"

_Hook = TypeVar("_Hook", bound=Callable[..., Any])

Pairs = list[tuple[RecipientKey, "MailMode | None"]]


@dataclass(eq=False)
class News:
    """What is to be told of one object.

    :param itself: by what the object is found again.
    :param owner: the object that the message is about; ``about`` likewise.
    """

    change: Noticed
    kind: type[Changed]
    itself: watches.Target
    owner: Any
    about: watches.Target


def read_in_bulk(hook: _Hook) -> _Hook:
    """Mark what a hook does by default: where it is not overridden, it is done for all objects at once."""
    setattr(hook, _IN_BULK, True)
    return hook


def _is_read_in_bulk(instance: Any) -> bool:
    return bool(getattr(type(instance).get_change_observers, _IN_BULK, False))


_in_hand: ContextVar[dict[watches.Target, list[Any]] | None] = ContextVar("flask_notify.watchers", default=None)


@contextmanager
def _in_hand_are(watchers: dict[watches.Target, list[Any]]) -> Iterator[None]:
    token = _in_hand.set(watchers)
    try:
        yield
    finally:
        _in_hand.reset(token)


def watchers_of(models: Models, instance: Any) -> list[Any]:
    """Return the users who watch an object; while hooks are asked, those of all objects have been read at once."""
    known = (_in_hand.get() or {}).get(_named(instance))
    return watches.watchers(models, instance) if known is None else list(known)


def tell(session: Session, records: list[Noticed]) -> None:
    """Emit what watchers are told of all that was noticed in a transaction.

    :param session: whose transaction it is; it has been flushed.
    """
    changes = fold(session, records)
    if not changes:
        return
    if not has_app_context() or "notify" not in current_app.extensions:
        warnings.warn(
            f"{len(changes)} watched object(s) changed outside an application context, so nobody is told. "
            "Commit within app.app_context() of an application with Flask-Notify.",
            stacklevel=2,
        )
        return
    by_models: dict[Models, list[Noticed]] = {}
    for change in changes:
        models = recipient.find_models(type(change.object).__fsa__)
        if models is not None:
            by_models.setdefault(models, []).append(change)
    state = current_app.extensions["notify"]
    with visited(state.settings.base_url):
        for models, mine in by_models.items():
            _Telling(session, models, state.settings, state.notify.message_types).tell(mine)


class _Telling:
    """One telling of changes, in one session."""

    def __init__(self, session: Session, models: Models, settings: Settings, types: Registry) -> None:
        self.session = session
        self.models = models
        self.settings = settings
        self.types = types

    def tell(self, changes: Sequence[Noticed]) -> None:
        """Emit what is told of changes, and let nobody watch what is gone."""
        news = [one for one in map(self._news, changes) if one is not None]
        objects = {_named(change.object): change.kind for change in changes}
        targets = {*objects, *(one.about for one in news)}
        stored = watch_rows.watchers_of(self._connection(), self.models, targets)
        self._forget_predecessors({target for target, kind in objects.items() if kind == "created"}, stored)
        watching = self._with_pending(stored)
        with _in_hand_are(self._watchers_for_hooks(news, watching)):
            observed = [(one, self._observers(one, watching)) for one in news]
        observed = [(one, named) for one, named in self._who_may_see(observed) if not _is_empty(named)]
        referred = Referred(self.session, (one.change for one, _ in observed))
        at_once: list[tuple[Outgoing, Sequence[Recipient]]] = []
        for one, named in observed:
            if isinstance(named, SelectBase) or len(named) > self.settings.inline_recipients:
                self._record(self._outgoing(one, referred), named)
            else:
                at_once.append((self._outgoing(one, referred), named))
        sending.send_inline(self.session, self.models, at_once)
        gone = {target for target, kind in objects.items() if kind == "deleted"}
        watches.forget_deleted(
            self.models, {target: pairs for target, pairs in watching.items() if target in gone}, self.session
        )

    def _connection(self) -> Any:
        return self.session.connection(bind_arguments={"clause": self.models.inbox})

    def _news(self, change: Noticed) -> News | None:
        instance = change.object
        name = instance.get_notify_message_type()
        if name is None:
            return None
        kind = self.types.find(name)
        if not issubclass(kind, Changed):
            raise InvalidMessage(
                f"{type(instance).__name__}.get_notify_message_type() must name the type 'change' or a subclass of "
                f"flask_notify.messages.message_types.Changed, got {name!r}. Derive {kind.__name__} from it."
            )
        owner = instance.get_change_owner()
        owner = instance if owner is None else owner
        return News(change, kind, _named(instance), owner, _named(owner))

    def _forget_predecessors(self, created: set[watches.Target], stored: dict[watches.Target, Pairs]) -> None:
        """Let nobody watch a new object who watched one before that had its key (SQLite gives keys away again)."""
        left = [(key, *target) for target in created for key, _ in stored.pop(target, [])]
        watch_rows.remove(self._connection(), self.models, left)

    def _with_pending(self, stored: dict[watches.Target, Pairs]) -> dict[watches.Target, Pairs]:
        """Return who watches what, with those of this transaction."""
        watching = {target: {key: watches.Watching(mode) for key, mode in pairs} for target, pairs in stored.items()}
        for change in emission.pending(self.session):
            if isinstance(change, WatchChange) and change.models is self.models and change.key is not None:
                theirs: dict[Any, Any] = watching.setdefault(change.target, {})
                theirs[change.key] = change.applied(theirs.get(change.key))
        return {
            target: [(key, one.mode) for key, one in theirs.items() if one is not None]
            for target, theirs in watching.items()
        }

    def _watchers_for_hooks(
        self, news: Sequence[News], watching: dict[watches.Target, Pairs]
    ) -> dict[watches.Target, list[Any]]:
        """Return the users who watch those objects whose hook may ask for them, read for all at once."""
        asking = [one for one in news if not _is_read_in_bulk(one.change.object)]
        theirs = {
            target: [key for key, mode in watching.get(target, []) if mode is not MailMode.SILENT]
            for one in asking
            for target in (one.itself, one.about)
        }
        keys = list({key: None for some in theirs.values() for key in some})
        users: dict[Any, Any] = {}
        for start in range(0, len(keys), _BATCH):
            users |= fanout.users_by_key(self.session, self.models, keys[start : start + _BATCH])
        return {target: [users[key] for key in some if key in users] for target, some in theirs.items()}

    def _who_may_see(self, observed: list[tuple[News, Any]]) -> list[tuple[News, Any]]:
        """Leave out those who may not see what is told of, or what it belongs to (a query asks for itself)."""
        sight = Sight(self.session, self.models)
        limited = {
            id(one): _limited(one)
            for one, listed in observed
            if not isinstance(listed, SelectBase) and (one.change.seen_by or _limited(one))
        }
        sight.ask(
            (instance, [to.key for to in listed]) for one, listed in observed for instance in limited.get(id(one), ())
        )
        return [
            (one, [to for to in listed if _may_see(sight, to.key, one, limited[id(one)])])
            if id(one) in limited
            else (one, listed)
            for one, listed in observed
        ]

    def _observers(self, one: News, watching: dict[watches.Target, Pairs]) -> Any:
        """Return whom to tell: recipients, or a select of keys."""
        instance = one.change.object
        if not _is_read_in_bulk(instance):
            given = instance.get_change_observers()
            if not isinstance(given, SelectBase):
                return sending.named_in(self.models, given)
            keys = sending.keys_of(self.models, given)
            found = sending.few(self.models, keys, self.settings.inline_recipients, self.session)
            return keys if found is None else found
        own = watching.get(one.itself, [])
        mine = [(key, mode) for key, mode in own if mode is not MailMode.SILENT]
        if mine or one.about == one.itself:
            # The mode for the object that the message is about is asked by the rules themselves.
            return [Recipient(key, ByKey(key), None if one.about == one.itself else mode) for key, mode in mine]
        muted = {key for key, _ in own}
        theirs = watching.get(one.about, [])
        return [Recipient(key, ByKey(key)) for key, mode in theirs if mode is not MailMode.SILENT and key not in muted]

    def _outgoing(self, one: News, referred: Referred) -> Outgoing:
        change, instance = one.change, one.change.object

        def render() -> Text | None:
            told = describe(change, referred)
            subject = instance.get_change_subject(change.doer, told)
            if not subject:
                return None
            url = None if change.kind == "deleted" else instance.get_change_url()
            return text_of(subject, instance.get_change_body(change.doer, told), url)

        names = list(change.values)
        content = one.kind(render=render, sender=change.doer, target=one.owner, kind=change.kind, changed=names)
        return outgoing(self.models, self.settings, self.types, content, doer=change.doer)

    def _record(self, one: Outgoing, named: Any) -> None:
        """Record it for a fan-out, with its text in each language that is read by one of them."""
        content: Any = one.content
        for locale, timezone in self._languages(named):
            with in_language(locale, timezone):
                text = content.text_for(None)
                if text is not None:
                    content.texts[current_language_key()] = text
        if content.texts:
            sending.record(self.models, self.settings, self.types, one, self.session, named)

    def _languages(self, named: Any) -> list[tuple[str | None, str | None]]:
        column = self.models.inbox.c
        query = select(column.locale, column.timezone).distinct()
        connection = self._connection()
        if isinstance(named, SelectBase):
            found = set(connection.execute(query.where(column.recipient_id.in_(named))))
        else:
            keys = [to.key for to in named]
            batches: Iterable[Any] = (keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH))
            among = (inbox.among(connection, column.recipient_id, batch) for batch in batches)
            found = {row for wanted in among for row in connection.execute(query.where(wanted))}
        # Who has no inbox yet reads the default.
        return sorted({(row[0], row[1]) for row in found} | {(None, None)}, key=str)


def _named(instance: Any) -> watches.Target:
    return watches.target_named(instance)


def _limited(one: News) -> list[Any]:
    """Return of the changed object and its owner those that are still there and that not everybody may see."""
    return [
        instance
        for instance in {id(each): each for each in (one.change.object, one.owner)}.values()
        if is_limited(type(instance)) and not inspect(instance).deleted
    ]


def _may_see(sight: Sight, key: RecipientKey, one: News, limited: Iterable[Any]) -> bool:
    # Whoever a hook names beyond the watchers of what is gone cannot be asked for any more.
    return one.change.seen_by.get(key, True) and all(sight.sees(key, instance) for instance in limited)


def _is_empty(named: Any) -> bool:
    return not isinstance(named, SelectBase) and not named
