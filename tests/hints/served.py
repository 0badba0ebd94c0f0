"""The application of the tests as gunicorn serves it, with several processes.

It is told its database and settings by the environment. Each answer tells which process it comes
from, and how many connections that one has taken from its pool so far.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask
from sqlalchemy import event

from tests.apps import Site, make_app

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Telling:
    """The outermost layer, which is around the fast poll, too."""

    def __init__(self, application: WSGIApplication, site: Site) -> None:
        self._application = application
        self._checkouts = 0
        with site.app.app_context():
            event.listen(site.db.engine, "checkout", self._count)

    def _count(self, *_: object) -> None:
        self._checkouts += 1

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer, and tell."""

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            more = [("X-Process", str(os.getpid())), ("X-Checkouts", str(self._checkouts))]
            return start_response(status, [*headers, *more], *rest)

        return self._application(environ, start)


def create_app() -> Flask:
    """Return the application; with the setting `WARM`, after it has served and committed in this process."""
    settings = json.loads(os.environ["SETTINGS"])
    warm = settings.pop("WARM", None)
    site = make_app(os.environ["DATABASE_URL"], **settings)

    @site.app.post("/emit/<int:key>/<int:value>")
    def emit(key: int, value: int) -> str:
        site.user(key).add_notification("a", value)
        site.db.session.commit()
        return ""

    site.app.wsgi_app = Telling(site.app.wsgi_app, site)  # type: ignore[method-assign]  # as Flask's documentation tells
    if warm is not None:
        assert site.app.test_client().post(f"/emit/{warm}/0").status_code == 200
        with site.app.app_context():
            site.db.engine.dispose()  # as SQLAlchemy's documentation tells, before a fork
    return site.app
