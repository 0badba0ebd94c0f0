"""A poll keeps nobody logged in: it writes no cookie, and refreshes neither session."""

from __future__ import annotations

import copy
from typing import Any

from flask import Flask, Response, request
from flask.sessions import SessionInterface, SessionMixin

POLL_ENDPOINT = "notify.poll"


def leave_sessions_alone(app: Flask) -> None:
    """Make the application's session interface skip what a poll did not change.

    To be called when the application is complete: it may set an interface of its own after
    it has initialised its extensions.
    """
    # A copy: Flask's default interface is one object for all applications of a process.
    interface = copy.copy(app.session_interface)
    save = interface.save_session

    def save_session(app: Flask, session: SessionMixin, response: Response) -> None:
        if request.endpoint != POLL_ENDPOINT or _is_changed(app, interface, session):
            save(app, session, response)
        else:
            _drop_remember_cookie(app, response)

    interface.save_session = save_session  # type: ignore[method-assign]  # of this copy only
    app.session_interface = interface


def _is_changed(app: Flask, interface: SessionInterface, session: SessionMixin) -> bool:
    """Whether the application has written something to the session that is not there yet.

    ``modified`` alone does not say so: Flask-Login sets it to refresh a remember cookie, and
    to log in by one.
    """
    if not session.modified:
        return False
    before = dict(interface.open_session(app, request) or {})
    after = dict(session)
    if _logged_in_by_remember_cookie(before, after):
        for key in ("_user_id", "_fresh"):
            before.pop(key, None)
            after.pop(key, None)
    return before != after


def _logged_in_by_remember_cookie(before: dict[str, Any], after: dict[str, Any]) -> bool:
    # Whoever logs in by a form is fresh. This one will be logged in by the next page, too.
    return "_user_id" not in before and "_user_id" in after and after.get("_fresh") is False


def _drop_remember_cookie(app: Flask, response: Response) -> None:
    name = app.config.get("REMEMBER_COOKIE_NAME", "remember_token")
    cookies = response.headers.getlist("Set-Cookie")
    kept = [cookie for cookie in cookies if not cookie.startswith(f"{name}=") or _clears(cookie)]
    if len(kept) != len(cookies):
        response.headers.setlist("Set-Cookie", kept)


def _clears(cookie: str) -> bool:
    return "Max-Age=0" in cookie or "Expires=Thu, 01 Jan 1970" in cookie
