"""Idle polls are answered before Flask. This page is the argument why that is safe.

A poll that found nothing new was answered by the whole application: the session was opened,
the user loaded and judged, the inbox read. Its ETag is a ticket which says so, signed, with
the recipient, the cursor that was read, and an expiry. The browser sends it back by itself.

1. *It says nothing but "nothing new".* The answer here is a 304 without a body, or none at
   all: anything that is not as the ticket says goes the full way.
2. *It is nobody else's.* The signature covers cookie, authorization, host, path and query.
   Another session, a logout, another ``since``: another request, and the full way. Who is
   known by anything else, or read from another database than this layer reads, gets no ticket.
3. *It misses no update.* The cursor in the ticket was read before the items were. Every
   change moves the cursor in its own commit, so while the cursor stands, nothing came.
4. *It trusts nothing for long.* What only the application knows (a user who was deactivated, a
   server-side session that ended under the same cookie) is asked again when the ticket expires.
5. *It leaves no trace.* One read by primary key on a connection of the engine's pool, outside
   any transaction; no session, no cookie. If that read fails, the full way tells why.
6. *Where hints flow, it may know without reading.* What is known of a cursor was read here, by
   this layer, begun less than ``NOTIFY_HINT_TTL`` ago; every hint that the broker took over
   since has been heard, up to a beat that was sent a few seconds ago at most; and none of them
   was about this recipient. (See :mod:`flask_notify.hints.known` for the races, and
   :mod:`flask_notify.hints.listener` for the beats.) So news is late by what a hint travels; by
   a few seconds where the connection is silent; by that interval where its hint was lost, or
   its writer has no broker; and it is never lost. A page that was rung is on the heels of a
   hint that may not be here yet: for it the database is read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.pool import SingletonThreadPool, StaticPool, reset_none

from ..hints.process import Hints
from ..live.polling import read_cursor
from ..models import Models, RecipientKey
from ..stream.tokens import Tokens
from .ticket import Signer, Ticket, origin

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

OFFER = "flask_notify.offer"
"""The key of the environ under which the full poll finds what its ticket has to hold for."""

_log = logging.getLogger("flask_notify")


class Offer(NamedTuple):
    """What a ticket will be compared with: the request as it arrived, and a database."""

    bound_to: bytes
    engine: Engine


class FastPoll:
    """The WSGI layer around an application.

    :param application: what answers whatever is not an idle poll.
    :param prepare: called before the first request. It returns None to switch the layer off.
    """

    def __init__(self, application: WSGIApplication, prepare: Callable[[], CursorReader | None]) -> None:
        self._application = application
        self._prepare = prepare
        self._prepared = False
        self._reader: CursorReader | None = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer an idle poll, and pass on all the rest."""
        if not self._prepared:
            self._reader = self._prepare()
            self._prepared = True
        # One that another application left, around this one, is not for our tickets.
        environ.pop(OFFER, None)
        if self._reader is not None:
            # Taken here, before anything further in rewrites host or path: the next request
            # is compared as it arrives here.
            bound_to = origin(environ)
            environ[OFFER] = Offer(bound_to, self._reader.engine)
            etag = environ.get("HTTP_IF_NONE_MATCH")
            if etag and environ["REQUEST_METHOD"] == "GET" and "fn1." in etag:
                headers = self._reader.confirm(etag, bound_to, environ.get("HTTP_X_NOTIFY_STREAM"))
                if headers is not None:
                    start_response("304 NOT MODIFIED", headers)
                    return []
        return self._application(environ, start_response)


class CursorReader:
    """Compares a ticket with the cursor in the database.

    :param engine: the engine of the user model's bind.
    :param poll_interval: seconds, told to the client with each answer.
    :param hints: what may know a cursor without the database; None where there is no broker.
    :param tokens: who signs tokens for the stream; None where there is none.
    """

    def __init__(
        self,
        engine: Engine,
        models: Models,
        signer: Signer,
        poll_interval: float,
        hints: Hints | None = None,
        tokens: Tokens | None = None,
    ) -> None:
        self.engine = engine
        self._models = models
        self._signer = signer
        self._key_type = _key_type(models)
        self._poll_interval = f"{poll_interval:g}"
        self._hints = hints
        self._tokens = tokens
        # On PostgreSQL a transaction costs two more round trips than the read itself.
        self._autocommit = engine.dialect.driver in ("psycopg", "psycopg2")

    @staticmethod
    def serves(engine: Engine) -> bool:
        """Whether the pool has a connection to spare, and ends what was begun on it.

        The only connection of a thread may be one that a session is using. And where nothing
        is rolled back on the return to the pool, a read could be of yesterday's snapshot.
        """
        shares = isinstance(engine.pool, (StaticPool, SingletonThreadPool))
        return not shares and engine.pool._reset_on_return is not reset_none

    def confirm(self, if_none_match: str, bound_to: bytes, stream: str | None = None) -> list[tuple[str, str]] | None:
        """Return the headers of a 304 if the ticket is good and nothing has come since.

        :param stream: why a page with a stream polls: ``rung`` where it was told of news a moment
            ago. Any other value only asks for the next token.
        """
        if self._key_type is None:
            return None
        now = self._models.clock()
        ticket = self._signer.verify(if_none_match, bound_to, now)
        if ticket is None or not self._stands(ticket, self._key_type, stream == "rung"):
            return None
        headers = [
            ("ETag", ticket.etag),
            ("Cache-Control", "private, no-cache"),
            ("Vary", "Cookie"),
            ("X-Poll-Interval", self._poll_interval),
        ]
        if stream and self._tokens is not None:
            headers.append(("X-Notify-Stream", self._tokens.mint(ticket.key, now)))
        return headers

    def _stands(self, ticket: Ticket, key_type: Callable[[str], RecipientKey], rung: bool) -> bool:
        if self._hints is None:
            return self._cursor(key_type(ticket.key)) == ticket.cursor
        if not rung and self._hints.known(ticket.key) == ticket.cursor:
            return True
        # Before the connection is taken: with it, a transaction may begin.
        asked_at = self._hints.clock()
        cursor = self._cursor(key_type(ticket.key))
        if cursor is not None:
            self._hints.learn(ticket.key, cursor, asked_at)
        return cursor == ticket.cursor

    def _cursor(self, key: RecipientKey) -> float | None:
        try:
            connection = self.engine.raw_connection()
        except Exception:  # noqa: BLE001  # whatever it is, the full way meets it, and tells
            _log.debug("No connection for a fast poll; it goes the full way", exc_info=True)
            return None
        try:
            return self._read(connection, key)
        except Exception as error:  # noqa: BLE001  # likewise
            _log.debug("A fast poll failed; it goes the full way", exc_info=True)
            self._discard(connection, error)
            return None
        finally:
            connection.close()

    def _read(self, connection: Any, key: RecipientKey) -> float:
        driver = connection.driver_connection
        # An engine may be in autocommit for good, or begin a transaction with each checkout.
        switches = self._autocommit and not driver.autocommit and driver.info.transaction_status == 0
        cursor = connection.cursor()
        try:
            if switches:
                driver.autocommit = True
            return read_cursor(cursor, self.engine, self._models, key)
        finally:
            cursor.close()
            # It would survive the return to the pool, and commit what the next user rolls back.
            if switches:
                driver.autocommit = False

    def _discard(self, connection: Any, error: Exception) -> None:
        driver = connection.driver_connection
        lost = isinstance(error, self.engine.dialect.loaded_dbapi.Error) and (
            self.engine.dialect.is_disconnect(error, driver, None)
        )
        with suppress(Exception):  # it may be dead already, which is why it is discarded
            connection.invalidate(error)
        if lost:
            # The server went away, and every other connection of the pool with it. SQLAlchemy
            # would notice at each of them, one failed request at a time.
            self.engine.dispose()


def _key_type(models: Models) -> Callable[[str], RecipientKey] | None:
    """Return what reads a key from a ticket; None for a type of the application's own."""
    try:
        python_type = models.key_column.type.python_type
    except NotImplementedError:
        return None
    return python_type if python_type in (int, str, UUID) else None
