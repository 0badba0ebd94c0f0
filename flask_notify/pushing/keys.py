"""The pair of keys by which push services know the application (VAPID, RFC 8292)."""

from __future__ import annotations

import base64
from email.utils import parseaddr
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..config import Settings
from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_HOURS_OF_A_TOKEN = 12  # the RFC allows 24; the clocks of others may be wrong
_WITHOUT_EXTRA = (
    "Web Push needs packages that are not installed: pip install 'flask-notify[push]'. Or leave "
    "NOTIFY_VAPID_PRIVATE_KEY unset."
)


class Vapid:
    """Signs for the push services, with the application's key.

    :param private_key: ``NOTIFY_VAPID_PRIVATE_KEY``.
    :param subject: see :func:`subject_of`.
    :raises ConfigurationError: if the key or the subject is none, or the extra is not installed.
    """

    def __init__(self, private_key: str, subject: str) -> None:
        self.subject = subject
        self._signer = _signer(private_key)
        self._tokens: dict[str, tuple[float, str]] = {}
        try:
            self.authorization("https://push.example.org", now=0.0)
        except Exception as error:
            raise ConfigurationError(
                f"NOTIFY_VAPID_SUBJECT must be an address like 'mailto:admin@example.org', got {subject!r}: {error}"
            ) from error

    @property
    def public_key(self) -> str:
        """The key that browsers are given when they subscribe, in URL-safe Base64."""
        return _public(self._signer.public_key)

    def authorization(self, origin: str, *, now: float) -> str:
        """Return the header ``Authorization`` for a push service; the same for some hours, as the RFC advises.

        :param origin: as of :func:`.hosts.origin_of`.
        :param now: Unix seconds.
        """
        until, header = self._tokens.get(origin, (0.0, ""))
        if not now < until:
            expiry = int(now) + _HOURS_OF_A_TOKEN * 3600
            claims = {"aud": origin, "exp": expiry, "sub": self.subject}
            header = str(self._signer.sign(claims)["Authorization"])
            self._tokens[origin] = (expiry - _HOURS_OF_A_TOKEN * 1800, header)
        return header


def vapid_of(settings: Settings, config: Mapping[str, Any]) -> Vapid | None:
    """Return what signs for an application, or None where it has no Web Push.

    :raises ConfigurationError: as :class:`Vapid`.
    """
    if settings.vapid_private_key is None:
        return None
    return Vapid(settings.vapid_private_key, subject_of(settings, config))


def subject_of(settings: Settings, config: Mapping[str, Any]) -> str:
    """Return where the operators of a push service reach those of the application.

    :raises ConfigurationError: if nothing tells.
    """
    if settings.vapid_subject is not None:
        return settings.vapid_subject
    sender = settings.mail_sender or config.get("MAIL_DEFAULT_SENDER")
    _, address = sender if isinstance(sender, (tuple, list)) else parseaddr(sender or "")
    if address and "@" in address:
        return f"mailto:{address}"
    site = urlsplit(settings.base_url or "")
    if site.scheme == "https":
        return f"https://{site.hostname}"
    raise ConfigurationError(
        "Web Push needs an address where the operators of the push services reach you, got neither "
        "NOTIFY_VAPID_SUBJECT nor a sender of mails nor a NOTIFY_BASE_URL with https. Set "
        "NOTIFY_VAPID_SUBJECT = 'mailto:admin@example.org'."
    )


def generate() -> tuple[str, str]:
    """Return a new private key, and the public one that belongs to it, each as its setting has it.

    :raises ConfigurationError: if the extra is not installed.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError as error:
        raise ConfigurationError(_WITHOUT_EXTRA) from error
    key = ec.generate_private_key(ec.SECP256R1())
    return _encode(key.private_numbers().private_value.to_bytes(32, "big")), _public(key.public_key())


def _signer(private_key: str) -> Any:
    try:
        from py_vapid import Vapid02
    except ImportError as error:
        raise ConfigurationError(_WITHOUT_EXTRA) from error
    try:
        return Vapid02.from_raw(private_key.encode())
    except Exception as error:
        raise ConfigurationError(
            "NOTIFY_VAPID_PRIVATE_KEY must be a key that `flask notify vapid` has printed; the one that is set is not "
            "a number of the curve P-256. Make a new one."
        ) from error


def _public(key: Any) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return _encode(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
