"""An application with objects to watch, and its watches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from flask_notify.messages import watches
from flask_notify.messages.preferences import Types, types_of
from tests.apps import Site


@dataclass
class Stage:
    """A site with models to watch, in its application's context."""

    site: Site
    Post: Any
    Room: Any
    Page: Any

    @property
    def models(self) -> Any:
        return self.site.notify.models

    @property
    def types(self) -> Types:
        notify = self.site.app.extensions["notify"]
        return types_of(notify.settings, notify.notify.message_types)

    @property
    def session(self) -> Any:
        return self.site.db.session

    def watch(self, target: Any, user: Any, mode: Any = None) -> None:
        watches.watch(self.models, self.types, target, user, mode)

    def unwatch(self, target: Any, user: Any) -> None:
        watches.unwatch(self.models, self.types, target, user)

    def mute(self, target: Any, user: Any) -> None:
        watches.mute(self.models, self.types, target, user)

    def unmute(self, target: Any, user: Any) -> None:
        watches.unmute(self.models, self.types, target, user)

    def is_watched(self, target: Any, user: Any) -> bool:
        return watches.is_watched_by(self.models, target, user)

    def is_muted(self, target: Any, user: Any) -> bool:
        return watches.is_muted_by(self.models, target, user)

    def watchers(self, target: Any) -> list[Any]:
        return watches.watchers(self.models, target)

    def rows(self) -> list[tuple[Any, ...]]:
        watch = self.models.watch.c
        columns = (watch.recipient_id, watch.target_type, watch.target_id, watch.mail_mode)
        query = select(*columns).order_by(*columns[:3])
        return [tuple(row) for row in self.session.execute(query)]

    def add(self, *objects: Any) -> None:
        self.session.add_all(objects)
        self.session.commit()
