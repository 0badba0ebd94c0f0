"""Rendering as if somebody visited the site: outside a request ``url_for()`` needs to be told where it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import current_app, has_app_context, has_request_context


@contextmanager
def visited(base_url: str | None) -> Iterator[None]:
    """Let the application's own code make URLs, in a job or a command as in a request.

    :param base_url: the address of the site, whose path is the prefix of every URL; None is "/".
    """
    if has_request_context() or not has_app_context():
        yield
        return
    with current_app.test_request_context(base_url=base_url or "http://localhost"):
        yield
