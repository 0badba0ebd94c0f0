"""Whether pages that want to listen to the stream can."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from urllib.error import HTTPError
from urllib.parse import urljoin, urlsplit
from urllib.request import urlopen

from ..config import Settings
from .finding import Finding

_TIMEOUT = 5
_ABOUT = "stream"


def examine_stream(settings: Settings) -> Iterator[Finding]:
    """Yield what there is to say of the stream, if the site has one and its address is known."""
    if settings.stream_url is None:
        return
    if settings.base_url is None and not urlsplit(settings.stream_url).netloc:
        return  # and that there is no NOTIFY_BASE_URL is told already
    url = urljoin(settings.base_url or "", settings.stream_url)
    if settings.base_url is None and not settings.stream_origins:
        yield Finding(
            "warning",
            _ABOUT,
            f"only pages of {urlsplit(url).netloc} itself may listen at {url}",
            "If the site has another address, set NOTIFY_BASE_URL, or name it in NOTIFY_STREAM_ORIGINS.",
        )
    yield _ask(f"{url.rstrip('/')}/health")


def _ask(health: str) -> Finding:
    remedy = (
        "See to it that `flask notify stream` runs, and that NOTIFY_STREAM_URL leads to it. Meanwhile pages poll at "
        "their plain pace."
    )
    try:
        # By http or https alone, as the settings have been checked.
        with urlopen(health, timeout=_TIMEOUT) as answer:  # noqa: S310
            said = answer.read(100).decode("utf-8", "replace").strip()
    except HTTPError as error:
        with error:
            said = error.read(100).decode("utf-8", "replace").strip()
        if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
            return Finding("error", _ABOUT, f"{health} says: {said}", "Look at the broker, and at NOTIFY_BROKER_URL.")
        return Finding("error", _ABOUT, f"{health} answers {error.code}, which is not the stream", remedy)
    except (OSError, ValueError) as error:
        return Finding("error", _ABOUT, f"{health} does not answer: {error}", remedy)
    if said != "ringing":
        return Finding("error", _ABOUT, f"{health} is answered by something else than the stream", remedy)
    return Finding("ok", _ABOUT, f"{health} says: {said}")
