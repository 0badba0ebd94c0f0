"""Mails to those who are away: due, claimed, rendered, stored; then sent and stamped (rows C1 to C3, C8)."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from traceback import walk_tb
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from sqlalchemy import Connection, inspect, select
from sqlalchemy.exc import InterfaceError, OperationalError

from ..config import Settings
from ..durability import without_waiting
from ..inbox import among
from ..messages.targets import load_senders
from ..models import Models, RecipientKey
from . import delivery, letter, mail, outbox
from .mail import InvalidAddress, Masthead
from .outbox import Due, NewMail
from .transport import Transport

logger = logging.getLogger("flask_notify")

_QUICK_SECONDS = 0.4
_LARGEST_BATCH = 100
"""Recipients at a time while it goes quickly: then statements per mail count, and not who gets how many."""

_ROUNDS = 3
"""How often one recipient is rendered at a time, where messages come and go meanwhile."""


@dataclass
class Summary:
    """What one run did.

    :param outcomes: how many mails were ``stored``, ``skipped``, ``parked``, ``sent``, ``refused``,
        ``cancelled``, or are for ``later``.
    :param problem: why no mail can go out now, or None.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    problem: str | None = None

    def __bool__(self) -> bool:
        return bool(self.outcomes or self.problem)

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in sorted(self.outcomes.items())) or "nothing to do"
        return f"{counts}; {self.problem}" if self.problem else counts


@dataclass(frozen=True)
class Preview:
    """What would be sent to one recipient now.

    :param messages: how many messages the mail would tell of.
    :param subject: its subject, or None where there would be no mail.
    :param reason: why there would be none.
    """

    recipient_id: RecipientKey
    messages: int
    subject: str | None
    reason: str | None


def run_once(
    models: Models,
    settings: Settings,
    transport: Transport,
    stop: Callable[[], bool] = lambda: False,
    *,
    now: Callable[[], float] | None = None,
) -> Summary:
    """Send all mail that is due, and return what was done. Any number of workers may do so at once.

    It must run in an application context, whose session it uses and rolls back.

    :param stop: asked between mails; True ends the run after the one at hand.
    :param now: a clock that returns Unix seconds; by default the application's.
    """
    clock = now or models.clock
    summary = Summary()
    desk = _Desk(models, settings, transport)
    summary.problem = desk.problem
    if summary.problem is not None:
        return summary
    with outbox.working(models) as work, transport.connection() as wire:
        this = delivery.Round(
            models,
            work,
            wire,
            desk.masthead.envelope_sender,
            clock,
            settings.mail_lease,
            settings.mail_attempts,
            stop,
        )
        size, busy = outbox.BATCH, True
        while busy and not stop():
            begun = time.monotonic()
            prepared = _prepare_batch(work, desk, clock(), summary, size)
            sent = 0 if summary.problem or stop() else _send_batch(this, summary, size)
            busy = bool(prepared or sent)
            quick = time.monotonic() - begun < _QUICK_SECONDS
            size = min(2 * size, _LARGEST_BATCH) if quick else outbox.BATCH
    return summary


def _send_batch(this: delivery.Round, summary: Summary, size: int) -> int:
    sent = delivery.send_batch(this, size)
    summary.outcomes.update(sent.outcomes)
    summary.problem = sent.server_unusable
    return sent.taken


def preview(models: Models, settings: Settings, transport: Transport, *, now: float) -> Iterator[Preview]:
    """Yield for each recipient whose mail is due what would be sent to them; nothing is written.

    :param now: Unix seconds.
    """
    desk = _Desk(models, settings, transport)
    inbox = models.inbox.c
    due = select(inbox.recipient_id).where(inbox.mail_due_at <= now).order_by(inbox.mail_due_at)
    with outbox.working(models) as work:
        with work.begin():
            keys = list(work.scalars(due))
        for start in range(0, len(keys), outbox.BATCH):
            for new in _render_all(work, desk, keys[start : start + outbox.BATCH], now).values():
                if not new.due:
                    continue  # all of it was seen
                subject = None if new.content is None else mail.subject_of(new.content)
                yield Preview(new.recipient_id, len(new.due), subject, new.reason or desk.problem)


def retry_parked(models: Models) -> int:
    """Let mails whose template raised be rendered anew by the next run, once it was mended; return how many."""
    total = 0
    with outbox.working(models) as work:
        while True:
            with work.begin():
                retried = outbox.retry_parked(work, models, now=models.clock())
            total += retried
            if not retried:
                return total


class _Desk:
    """Where letters are written: all that is the same for every recipient."""

    def __init__(self, models: Models, settings: Settings, transport: Transport) -> None:
        self.models = models
        self.settings = settings
        self._sender = settings.mail_sender or getattr(transport, "default_sender", None)

    @property
    def problem(self) -> str | None:
        """What is missing before any mail can be written, and what to do about it."""
        if self.settings.base_url is None:
            return "NOTIFY_BASE_URL is not set, and no link in a mail would lead anywhere. Set it."
        if not self._sender:
            return "the mails have no sender. Set NOTIFY_MAIL_SENDER, or Flask-Mail's MAIL_DEFAULT_SENDER."
        try:
            return None if self.masthead.envelope_sender else "the sender of the mails has no address"
        except ValueError as error:
            return f"the sender of the mails is not valid: {error}. Set NOTIFY_MAIL_SENDER to another."

    @cached_property
    def host(self) -> str:
        """The name of this site, in ASCII."""
        host = urlsplit(self.settings.base_url or "").hostname or "localhost"
        return host if host.isascii() else host.encode("idna").decode("ascii")

    @cached_property
    def masthead(self) -> Masthead:
        """What is the same on every mail."""
        list_id = self.settings.list_id or f"notifications.{self.host}"
        return Masthead(self._sender or "", list_id, self.settings.mail_subject_prefix)


def _prepare_batch(work: Connection, desk: _Desk, now: float, summary: Summary, size: int) -> int:
    """Claim recipients, and put their mails into the outbox; return how many recipients it were."""
    with work.begin():
        # Neither waits for the disk: the lease of what is stored here does, and so for both.
        without_waiting(work)
        claimed = outbox.claim_due(work, desk.models, now=now, limit=size)
    waiting: Sequence[RecipientKey] = claimed
    for _ in range(_ROUNDS):
        if not waiting:
            return len(claimed)
        mails = _render_all(work, desk, waiting, now)
        with work.begin():
            without_waiting(work)
            stored = outbox.store(work, desk.models, mails, now=now)
        summary.outcomes.update("stored" if new.state == "pending" else new.state for new in stored.mails)
        waiting = [key for key in waiting if key in stored.changed]
    with work.begin():
        outbox.release_due(work, desk.models, waiting)
    return len(claimed)


def _render_all(work: Connection, desk: _Desk, keys: Sequence[RecipientKey], now: float) -> dict[RecipientKey, NewMail]:
    """Render outside of any transaction that holds a lock: it may take its time."""
    models, limit = desk.models, desk.settings.digest_limit
    with work.begin():
        due = outbox.find_due(work, models, keys, now=now)
    session = models.db.session()
    shown = [number for messages in due.values() for number in list(messages)[:limit]]
    loaded = _load(models, keys, shown)
    mails = {}
    for key in keys:
        try:
            mails[key] = _write(desk, key, loaded, due.get(key, {}), now)
        except (OperationalError, InterfaceError):
            raise  # the database is gone, which is not the fault of this one mail
        except Exception as error:  # noqa: BLE001  # whatever an application's template raises
            session.rollback()  # a statement that failed leaves a transaction that only can be rolled back
            mails[key] = _park(desk, key, due.get(key, {}), error)
    session.rollback()
    return mails


class _Loaded(NamedTuple):
    """What letters are made of, read at once for many recipients."""

    users: Mapping[RecipientKey, Any]
    messages: Mapping[int, Any]
    tastes: Mapping[RecipientKey, Any]


def _load(models: Models, keys: Sequence[RecipientKey], numbers: Sequence[int]) -> _Loaded:
    session, Message, inbox = models.db.session(), models.Message, models.inbox.c
    fresh = {"populate_existing": True}
    at = session.connection(bind_arguments={"clause": models.inbox})
    users = select(models.user_mapper.class_).where(among(at, models.key_column, keys))
    messages = select(Message).where(among(at, models.message.c.id, numbers))
    tastes = select(inbox.recipient_id, inbox.locale, inbox.timezone).where(among(at, inbox.recipient_id, keys))
    found = session.scalars(messages, execution_options=fresh).all()
    load_senders(models, found)  # for all at once: one letter at a time would take a statement each
    return _Loaded(
        {inspect(user).identity[0]: user for user in session.scalars(users, execution_options=fresh)},
        {message.id: message for message in found},
        {row.recipient_id: row for row in session.execute(tastes, bind_arguments={"clause": models.inbox})},
    )


def _write(desk: _Desk, key: RecipientKey, loaded: _Loaded, due: Due, now: float) -> NewMail:
    message_id = mail.new_message_id(desk.host)
    user = loaded.users.get(key)
    address, reason = address_of(user)
    if not due or address is None:
        return NewMail(key, due, message_id, "skipped", reason=reason)
    numbers = list(due)[: desk.settings.digest_limit]
    messages = [loaded.messages[number] for number in numbers if number in loaded.messages]
    rendered = letter.render(
        desk.models, desk.settings, user, messages, len(due) - len(messages), tastes=loaded.tastes.get(key)
    )
    references = _references(desk.host, key, messages)
    content = mail.compose(
        rendered, desk.masthead, address=address, message_id=message_id, date=now, references=references
    )
    return NewMail(key, due, message_id, "pending", address, content)


def address_of(user: Any) -> tuple[str | None, str | None]:
    """Return where a user's mail goes, or None and the reason why there is none (row C8)."""
    if user is None:
        return None, "there is no such user any more"
    if not getattr(user, "is_active", True):
        return None, "the user is deactivated"
    if not hasattr(user, "email"):
        return None, f"{type(user).__name__} has no attribute email"
    address = user.email
    if not address:
        return None, "the user has no address"
    try:
        return mail.bare_address(str(address)), None
    except InvalidAddress as error:
        return None, str(error)


def _references(host: str, key: RecipientKey, messages: Sequence[Any]) -> list[str]:
    """Let mails about one and the same object be a thread."""
    targets = {(message.target_type, message.target_id) for message in messages}
    if len(targets) == 1:
        ((target_type, target_id),) = targets
        if target_type is not None:
            return [mail.thread_id(host, key, target_type, target_id)]
    return []


def _park(desk: _Desk, key: RecipientKey, due: Mapping[int, float], error: Exception) -> NewMail:
    reason = f"{type(error).__name__} in {_place(error)}"
    logger.error("Rendering a mail for recipient %r failed: %s", key, reason)
    logger.debug("How it failed", exc_info=error)
    return NewMail(key, dict(due), mail.new_message_id(desk.host), "parked", reason=reason)


def _place(error: BaseException) -> str:
    """Return where an error was raised. Not its text, which may repeat what somebody wrote."""
    frames = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    # Where the engine of the templates noticed it helps nobody.
    own = [(file, line) for file, line in frames if "jinja2" not in Path(file).parts]
    file, line = (own or frames)[-1]
    return f"{'/'.join(Path(file).parts[-3:])}, line {line}"
