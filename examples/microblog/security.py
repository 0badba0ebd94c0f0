"""The headers that every answer carries."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, current_app

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)


def init_app(app: Flask) -> None:
    """Send the headers with every answer of *app*."""
    app.after_request(_secure)


def _secure(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY + _of_the_stream())
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    return response


def _of_the_stream() -> str:
    """Return what allows pages to listen to the doorbell, if that is of another origin."""
    url = urlsplit(current_app.config["NOTIFY_STREAM_URL"] or "")
    return f"; connect-src 'self' {url.scheme}://{url.netloc}" if url.netloc else ""
