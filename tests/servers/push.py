"""A push service for the tests: it knows who may push, decrypts what comes, and misbehaves as it is told.

It stands for those of the browsers (RFC 8030). It is reached by https under the name "localhost",
with a certificate of its own; requests trusts that through the environment.
"""

from __future__ import annotations

import base64
import datetime
import json
import os
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest import mock

import http_ece
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import NameOID

from .base import ServerFailed, free_port

MOST_BYTES = 4_096
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")

Step = Callable[["Browser"], "int | tuple[int, dict[str, str]] | None"]
"""Called when a push has come, in a thread that may block; returns the status, with headers, or None for 201."""


@dataclass(frozen=True)
class Delivered:
    """One push that was taken, decrypted.

    :param content: the plain text.
    :param claims: of the token by which the application proved who it is.
    """

    content: bytes
    headers: Mapping[str, str]
    claims: dict[str, Any]

    @property
    def payload(self) -> dict[str, Any]:
        """What the service worker is given."""
        told: dict[str, Any] = json.loads(self.content)
        return told


@dataclass(eq=False)
class Browser:
    """One that has subscribed, with its keys."""

    endpoint: str
    application_key: str | None
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = field(default_factory=lambda: os.urandom(16))
    received: list[Delivered] = field(default_factory=list)

    @property
    def subscription(self) -> dict[str, Any]:
        """What its ``PushSubscription.toJSON()`` returns."""
        raw = self.key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        keys = {"p256dh": encode(raw), "auth": encode(self.auth)}
        return {"endpoint": self.endpoint, "expirationTime": None, "keys": keys}

    @property
    def titles(self) -> list[str]:
        """The titles of what has come, in its order."""
        return [delivered.payload["title"] for delivered in list(self.received)]

    def decrypt(self, body: bytes) -> bytes:
        """Return the plain text of a push (RFC 8291)."""
        plain: bytes = http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth, version="aes128gcm")
        return plain


class PushService:
    """A service in threads of this process.

    Tell it what to do by ``at_push``: functions by a browser's endpoint, or by "*" for all. What was
    not accepted, and why, is in ``complaints``; ``connected`` is how many connections are open,
    and ``connections`` how many there have been.
    """

    def __init__(self, directory: Path) -> None:
        self._server: ThreadingHTTPServer | None = self._listen()
        self.port = self._server.server_port
        self.place = f"localhost:{self.port}"
        self.origin = f"https://{self.place}"
        self.certificate = directory / f"push-{self.port}.pem"
        self.at_push: dict[str, Step] = {}
        self.complaints: list[str] = []
        self.requests = 0
        self.connected = self.connections = 0
        self._browsers: dict[str, Browser] = {}
        self._ended = threading.Event()
        self._counting = threading.Condition()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(_make_certificate(self.certificate))

    def _listen(self, port: int | None = None) -> ThreadingHTTPServer:
        """Take a port: a certain one, or any that nobody else has taken in this very moment."""
        for _ in range(20):
            try:
                return _Server(("127.0.0.1", port or free_port()), _handler(self))
            except OSError:
                time.sleep(0.05)
        raise ServerFailed(f"port {port} is taken" if port else "no port is free")

    def start(self) -> None:
        """Listen on the port."""
        self._ended.clear()
        server = self._server or self._listen(self.port)
        # The handshake is the thread's own affair: a client that hangs there holds up nobody.
        server.socket = self._context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Refuse all that comes from now on; what hangs ends."""
        self._ended.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def subscribe(self, application_key: str | None = None) -> Browser:
        """Return a browser that has subscribed.

        :param application_key: the public VAPID key for which it did; others are refused. None takes all.
        """
        path = f"/push/{len(self._browsers) + 1}-{encode(os.urandom(12))}"
        browser = self._browsers[path] = Browser(f"{self.origin}{path}", application_key)
        return browser

    def unsubscribe(self, browser: Browser) -> None:
        """End a browser's subscription: it is gone (410)."""
        del self._browsers[browser.endpoint.removeprefix(self.origin)]

    def hang(self, _browser: Browser) -> None:
        """Say nothing, until the service is stopped."""
        self._ended.wait(60)

    def note_connected(self, change: int) -> None:
        """Note that a connection has come, or gone."""
        with self._counting:
            self.connected += change
            self.connections += max(0, change)
            self._counting.notify_all()

    def wait_for_connections(self, number: int) -> None:
        """Return when so many are open."""
        with self._counting:
            assert self._counting.wait_for(lambda: self.connected == number, 30), self.connected

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        """Judge one request, and return the status and headers of the answer."""
        with self._counting:
            self.requests += 1
        browser = self._browsers.get(path)
        if browser is None:
            return 410, {}
        step = self.at_push.get(browser.endpoint) or self.at_push.get("*")
        said = step(browser) if step is not None else None
        if said is not None:
            return said if isinstance(said, tuple) else (said, {})
        try:
            claims = self._check_who(headers.get("authorization", ""), browser.application_key)
            self._check_headers(headers)
            content = browser.decrypt(body)
        except Exception as error:  # whatever a library finds in it
            self.complaints.append(f"{type(error).__name__}: {error}")
            return (403 if isinstance(error, PermissionError) else 400), {}
        if len(body) > MOST_BYTES:
            return 413, {}
        browser.received.append(Delivered(content, headers, claims))
        return 201, {"Location": f"{self.origin}/message/{self.requests}"}

    def _check_who(self, authorization: str, expected: str | None) -> dict[str, Any]:
        """Verify who pushes (RFC 8292), and return what they claim."""
        found = re.fullmatch(r"vapid t=([\w.-]+), ?k=([\w-]+)", authorization)
        if found is None:
            raise PermissionError(f"no VAPID in {authorization!r}")
        token, key = found[1], found[2]
        if expected is not None and key != expected:
            raise PermissionError("another key than the browser has subscribed for")
        signed, _, signature = token.rpartition(".")
        raw = decode(signature)
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decode(key))
        numbers = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        try:
            public.verify(encode_dss_signature(*numbers), signed.encode(), ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            raise PermissionError("the signature is wrong") from None
        claims: dict[str, Any] = json.loads(decode(signed.split(".")[1]))
        if claims["aud"] != self.origin:
            raise PermissionError(f"the token is for {claims['aud']}")
        if not time.time() < claims["exp"] <= time.time() + 24 * 3600:
            raise PermissionError(f"the token ends at {claims['exp']}")
        if not claims["sub"].startswith(("mailto:", "https://")):
            raise PermissionError(f"nobody is reached at {claims['sub']}")
        return claims

    def _check_headers(self, headers: Mapping[str, str]) -> None:
        if not headers["ttl"].isdecimal():
            raise ValueError(f"TTL is {headers['ttl']!r}")
        if not _TOPIC.fullmatch(headers.get("topic", "none")):
            raise ValueError(f"Topic is {headers['topic']!r}")
        if headers.get("urgency", "normal") not in ("very-low", "low", "normal", "high"):
            raise ValueError(f"Urgency is {headers['urgency']!r}")
        if headers["content-encoding"] != "aes128gcm":
            raise ValueError(f"Content-Encoding is {headers['content-encoding']!r}")
        if "cookie" in headers:
            raise ValueError("a cookie came along")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that gives up, or was killed, is what the tests are about."""


def _handler(service: PushService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            service.note_connected(1)
            try:
                super().handle()
            finally:
                service.note_connected(-1)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, extra = service.take(self.path, headers, body)
            self.send_response(status)
            for name, value in {**extra, "Content-Length": "0", "Set-Cookie": "tracked=1"}.items():
                self.send_header(name, value)
            self.end_headers()

        def do_GET(self) -> None:
            service.complaints.append(f"GET {self.path}")
            self.send_error(405)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name in the standard library
            """Say nothing."""

    return Handler


@contextmanager
def push_services(directory: Path, number: int = 1) -> Iterator[list[PushService]]:
    """Run push services whose certificates the processes trust that are started meanwhile, this one included."""
    services = [PushService(directory) for _ in range(number)]
    bundle = directory / "trusted.pem"
    bundle.write_text("".join(service.certificate.read_text() for service in services))
    with mock.patch.dict(os.environ, REQUESTS_CA_BUNDLE=str(bundle)):
        for service in services:
            service.start()
        try:
            yield services
        finally:
            for service in services:
                service.stop()


def encode(raw: bytes) -> str:
    """Return bytes in URL-safe Base64 without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Return the bytes of such a text."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _make_certificate(path: Path) -> Path:
    """Write a key, and a certificate for "localhost" that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, path.stem)])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + certificate.public_bytes(pem))
    return path
