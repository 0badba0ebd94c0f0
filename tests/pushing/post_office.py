"""An application whose users are pushed to, and what sends to them, in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from flask import current_app
from sqlalchemy import Boolean, Column, select, update

from flask_notify.pushing import subscriptions
from flask_notify.pushing.keys import generate
from flask_notify.pushing.sender import Sender
from tests.apps import Site, make_app
from tests.servers.push import Browser, PushService

PRIVATE, PUBLIC = generate()


class PostOffice:
    """A site and its push services.

    :param ahead: seconds by which its clock is ahead of the world's: push services look at theirs.
    """

    def __init__(self, site: Site, services: list[PushService]) -> None:
        self.site = site
        self.services = services
        self.ahead = 0.0
        clock = site.notify.clock
        site.notify.clock = lambda: clock() + self.ahead
        self._sender: Sender | None = None

    def add(self, name: str, browsers: int = 1, service: int = 0) -> tuple[Any, list[Browser]]:
        """Store a user who has subscribed with some browsers, and return their key and these."""
        key = self.site.add_user(name)
        return key, [self.subscribe(key, service) for _ in range(browsers)]

    def subscribe(self, key: Any, service: int = 0) -> Browser:
        """Let a user subscribe with one more browser."""
        browser = self.services[service].subscribe(PUBLIC)
        self.tell(key, browser)
        return browser

    def tell(self, key: Any, browser: Browser) -> None:
        """Let a browser tell whom it is for."""
        with self.site.app.app_context():
            hosts = current_app.extensions["notify"].settings.push_hosts
            told = subscriptions.parse(browser.subscription, hosts)
            subscriptions.subscribe(self.site.notify.models, self.site.user(key), told)
            self.site.db.session.commit()

    def send(self, what: Any, *keys: Any, **values: Any) -> None:
        """Send a message to users, and commit."""
        with self.site.app.app_context():
            self.site.notify.send(what, to=[self.site.user(key) for key in keys], **values)
            self.site.db.session.commit()

    def run(self, stop: Callable[[], bool] = lambda: False) -> Counter[str]:
        """Do what the job does, and return what became of the pushes."""
        with self.site.app.app_context():
            return self.sender.run_once(stop)

    @property
    def sender(self) -> Sender:
        """What sends; it remembers which push services are unwell."""
        if self._sender is None:
            state = self.site.app.extensions["notify"]
            notify = self.site.notify
            self._sender = Sender(notify.models, state.settings, notify.message_types, state.vapid)
        return self._sender

    def change(self, key: Any, change: Callable[[Any], Any]) -> None:
        """Let a user change something, and commit."""
        with self.site.app.app_context():
            change(self.site.user(key))
            self.site.db.session.commit()

    def pushes(self, key: Any = None) -> list[Any]:
        """Return the rows of the outbox, oldest first."""
        table = self.site.notify.models.push
        return self._rows(select(table).order_by(table.c.id), table, key)

    def subscribed(self, key: Any = None) -> list[Any]:
        """Return the rows of the subscriptions, oldest first."""
        table = self.site.notify.models.push_subscription
        return self._rows(select(table).order_by(table.c.id), table, key)

    def messages(self, key: Any) -> list[Any]:
        """Return the rows of a user's messages, oldest first."""
        table = self.site.notify.models.message
        return self._rows(select(table).order_by(table.c.id), table, key)

    def _rows(self, query: Any, table: Any, key: Any) -> list[Any]:
        with self.site.app.app_context():
            mine = query if key is None else query.where(table.c.recipient_id == key)
            return list(self.site.db.session.execute(mine))

    def end_leases(self, of_seconds: float) -> None:
        """Let the time of the leases be over, by the database's clock."""
        table = self.site.notify.models.push
        with self.site.app.app_context(), self.site.notify.models.db.engine.begin() as connection:
            connection.execute(update(table).values(lease_until=table.c.lease_until - of_seconds))

    def close(self) -> None:
        """Give back what it holds."""
        self.site.close()


def make_post_office(url: str, services: list[PushService], **options: Any) -> PostOffice:
    """Build an application on a database that pushes to these services."""
    options = {
        "NOTIFY_VAPID_PRIVATE_KEY": PRIVATE,
        "NOTIFY_VAPID_SUBJECT": "mailto:admin@example.org",
        "NOTIFY_PUSH_HOSTS": tuple(service.place for service in services),
        "NOTIFY_BASE_URL": "https://example.org",
        "SQLALCHEMY_ENGINE_OPTIONS": {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {},
        **options,
    }
    extra = options.pop("attributes", None)
    site = make_app(url, attributes={**active(), **extra} if extra else active, **options)
    return PostOffice(site, services)


def active() -> dict[str, Any]:
    """Return what a user has who may log in, or may not."""
    return {"is_active": Column(Boolean, default=True)}


def states(rows: Iterable[Any]) -> list[str]:
    """Return the states of pushes."""
    return [row.state for row in rows]
