"""One push handed to a browser's push service (RFC 8030), and what that says to it."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

from ..errors import ConfigurationError

_MOST_WAITING = 6 * 3600.0


@dataclass(frozen=True)
class Parcel:
    """A push as it is handed over.

    :param contents: the plain text, in full and, for a service that takes less, in short.
    :param headers: ``TTL``, ``Topic``, ``Urgency`` and ``Authorization``.
    """

    endpoint: str
    p256dh: str
    auth: str
    contents: tuple[bytes, bytes]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What a push service has said.

    :param verdict: ``taken``; ``gone``, for a subscription that it knows no more; ``later``, for an attempt that may
        be repeated; ``misconfigured``, where it does not accept who we are; ``refused``.
    :param reason: for people; it never has the address in it.
    :param retry_after: seconds that it asks for, or None.
    :param host_failed: whether the service itself seems unwell, and not this push alone.
    """

    verdict: str
    reason: str | None = None
    retry_after: float | None = None
    host_failed: bool = False


class PushServices:
    """The push services, over connections that are kept open; threads may share it.

    :param timeout: seconds for one request.
    :raises ConfigurationError: if the extra is not installed.
    """

    def __init__(self, timeout: float, connections: int) -> None:
        try:
            import pywebpush
            import requests
            from requests.adapters import HTTPAdapter
            from urllib3.util import Timeout
        except ImportError as error:
            raise ConfigurationError(
                "Web Push needs packages that are not installed: pip install 'flask-notify[push]'."
            ) from error
        self._pusher: Any = pywebpush.WebPusher
        self._failures: Any = requests.RequestException
        self._too_late: Any = requests.Timeout
        self._timeout: Any = Timeout(total=timeout)
        self._session: Any = requests.Session()
        self._session.mount("https://", HTTPAdapter(pool_maxsize=connections, max_retries=0))
        # Nothing of ours goes along but what is meant for it: no cookie, and no password out of a .netrc.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.auth = _as_it_is

    def hand_over(self, parcel: Parcel) -> Answer:
        """Encrypt a push, and hand it to its service; one that is too large is cut and tried once more."""
        try:
            answer = self._post(parcel, parcel.contents[0])
            if answer is None:
                answer = self._post(parcel, parcel.contents[1])
        except self._too_late:
            return Answer("later", "it did not answer in time", host_failed=True)
        except self._failures as error:
            return Answer("later", f"it could not be reached ({type(error).__name__})", host_failed=True)
        except Exception as error:  # noqa: BLE001  # a browser's key that the library cannot use, for one
            return Answer("refused", f"it could not be encrypted or sent ({type(error).__name__})")
        return answer or Answer("refused", "it is too large for the push service (413)")

    def close(self) -> None:
        """Close the connections that wait to be used again; new ones are made when there is need."""
        self._session.close()

    def _post(self, parcel: Parcel, content: bytes) -> Answer | None:
        """Return what the service says; None if the push is too large."""
        keys = {"p256dh": parcel.p256dh, "auth": parcel.auth}
        body = self._pusher({"endpoint": parcel.endpoint, "keys": keys}).encode(content)["body"]
        headers = {**parcel.headers, "Content-Encoding": "aes128gcm", "Content-Type": "application/octet-stream"}
        # A redirect could lead anywhere, past the list of hosts. What the answer's body says is nobody's business.
        with self._session.post(
            parcel.endpoint, data=body, headers=headers, timeout=self._timeout, allow_redirects=False, stream=True
        ) as response:
            status, retry_after = response.status_code, _seconds(response.headers.get("Retry-After"))
            if response.headers.get("Content-Length") == "0":
                # What was read to its end is used again, by the next push; of the others the connection is closed.
                response.raw.read()
        return None if status == 413 else _judge(status, retry_after)


_MEANINGS = {
    404: ("gone", "the browser has ended its subscription"),
    410: ("gone", "the browser has ended its subscription"),
    429: ("later", "too many in a short time"),
    **dict.fromkeys((400, 401, 403), ("misconfigured", "it does not accept the VAPID key, its subject or the request")),
    **dict.fromkeys(range(300, 400), ("refused", "it leads elsewhere, and redirects are not followed")),
}


def _judge(status: int, retry_after: float | None) -> Answer:
    if 200 <= status < 300:
        return Answer("taken")
    failed = status >= 500
    verdict, meaning = ("later", "it has trouble") if failed else _MEANINGS.get(status, ("refused", "it wants it not"))
    return Answer(verdict, f"the push service said {status}: {meaning}", retry_after, host_failed=failed)


def _seconds(retry_after: str | None) -> float | None:
    """Return what a header ``Retry-After`` asks for, in seconds or as a date (RFC 9110, section 10.2.3)."""
    if retry_after is None:
        return None
    try:
        seconds = float(retry_after) if retry_after.isdecimal() else _until(retry_after)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), _MOST_WAITING)


def _until(date: str) -> float:
    return email.utils.parsedate_to_datetime(date).timestamp() - time.time()


def _as_it_is(request: Any) -> Any:
    return request
