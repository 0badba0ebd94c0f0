"""A poll keeps nobody logged in: it writes no cookie, and refreshes neither session.

Nor does asking for the token of the stream.
"""

from __future__ import annotations

import copy
from typing import Any

from flask import Flask, Response, request
from flask.sessions import SessionInterface, SessionMixin

POLL_ENDPOINT = "notify.poll"
_QUIET = {POLL_ENDPOINT, "notify.stream_token"}
_LOGIN = ("_user_id", "_fresh", "_id")


def leave_sessions_alone(app: Flask) -> None:
    """Make the application's session interface skip what a poll did not change.

    To be called when the application is complete: it may set an interface of its own after
    it has initialised its extensions.
    """
    # A copy: Flask's default interface is one object for all applications of a process.
    interface = copy.copy(app.session_interface)
    save = interface.save_session

    def save_session(app: Flask, session: SessionMixin, response: Response) -> None:
        if request.endpoint not in _QUIET:
            save(app, session, response)
            return
        before, after = _without_bookkeeping(_stored(app, interface, session), dict(session))
        if before != after:
            save(app, session, response)
        if all(before.get(key) == after.get(key) for key in _LOGIN):
            _drop_remember_cookie(app, response)

    interface.save_session = save_session  # type: ignore[method-assign]  # of this copy only
    app.session_interface = interface


def _stored(app: Flask, interface: SessionInterface, session: SessionMixin) -> dict[str, Any]:
    """Return what the session was before this request.

    ``modified`` alone does not tell whether the application has written something: Flask-Login
    sets it to refresh a remember cookie, and to log in by one. And what is changed within a
    value is not marked, but kept by a session that each request refreshes.
    """
    refreshed = session.permanent and app.config["SESSION_REFRESH_EACH_REQUEST"]
    if not session.modified and not refreshed:
        return dict(session)
    opened = interface.open_session(app, request)
    return {} if opened is None else dict(opened)  # Flask-Session's may be false, and not empty


def _without_bookkeeping(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Leave out what Flask-Login notes by itself, and will note again on the next page.

    It calls a session stale that it has not begun, or that comes from another address, and
    one that it has found by a remember cookie. Whoever is logged in by a form is fresh.
    """
    if after.get("_fresh") is not False:
        return before, after
    own = {"_fresh"} if "_user_id" in before else {"_fresh", "_user_id"}
    return (
        {key: value for key, value in before.items() if key not in own},
        {key: value for key, value in after.items() if key not in own},
    )


def _drop_remember_cookie(app: Flask, response: Response) -> None:
    name = app.config.get("REMEMBER_COOKIE_NAME", "remember_token")
    cookies = response.headers.getlist("Set-Cookie")
    kept = [cookie for cookie in cookies if not cookie.startswith(f"{name}=") or _clears(cookie)]
    if len(kept) != len(cookies):
        response.headers.setlist("Set-Cookie", kept)


def _clears(cookie: str) -> bool:
    return "Max-Age=0" in cookie or "Expires=Thu, 01 Jan 1970" in cookie
