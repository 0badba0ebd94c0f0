"""By TLS a broker has to prove that it is the one that the address names."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

import pytest

from flask_notify.brokers import BrokerUnavailable, connect
from tests.conftest import missing
from tests.servers import Unavailable

schemes = pytest.mark.parametrize("scheme", ["amqps", "rediss"])


@dataclass
class Peer:
    """A server with a certificate, which hears what it is told and hangs up.

    :ivar authority: the file by which its certificate is known.
    """

    port: int
    authority: Path
    heard: list[bytes] = field(default_factory=list)


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Callable[[str], Peer]]:
    """Start a server that is certified as this name."""
    servers: list[ThreadingTCPServer] = []

    def start(name: str) -> Peer:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate = _certify(tmp_path, name)
        context.load_cert_chain(certificate, tmp_path / "key.pem")

        class Hears(BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError), context.wrap_socket(self.request, server_side=True) as wrapped:
                    started.heard.append(wrapped.recv(100))

        server = ThreadingTCPServer(("127.0.0.1", 0), Hears)
        server.daemon_threads = True
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        started = Peer(server.server_address[1], certificate)
        return started

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _certify(directory: Path, name: str) -> Path:
    if shutil.which("openssl") is None:
        missing(Unavailable("openssl", "apt-get install -y --no-install-recommends openssl"))
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-days", "2"]
    files: list[str | Path] = ["-keyout", key, "-out", certificate]
    subprocess.run([*command, "-addext", f"subjectAltName={name}", *files], check=True, capture_output=True)
    return certificate


@schemes
def test_a_certificate_of_an_unknown_authority_is_not_taken(peer: Callable[[str], Peer], scheme: str) -> None:
    server = peer("IP:127.0.0.1")

    with pytest.raises(BrokerUnavailable, match=r"(?i)certificate verify failed"):
        connect(f"{scheme}://us:secret@127.0.0.1:{server.port}/1").publish(b"news")

    assert server.heard == []


@schemes
def test_a_certificate_of_another_host_is_not_taken(peer: Callable[[str], Peer], scheme: str) -> None:
    server = peer("DNS:other.example")

    with pytest.raises(BrokerUnavailable, match=r"(?i)certificate verify failed.*mismatch"):
        connect(f"{scheme}://us:secret@127.0.0.1:{server.port}/1?ssl_ca_certs={server.authority}").publish(b"news")

    assert server.heard == []


@schemes
def test_the_certificate_of_the_host_is_taken(peer: Callable[[str], Peer], scheme: str) -> None:
    server = peer("IP:127.0.0.1")

    with pytest.raises(BrokerUnavailable, match=r"(?i)closed|reset|EOF"):
        connect(f"{scheme}://us:secret@127.0.0.1:{server.port}/1?ssl_ca_certs={server.authority}").publish(b"news")

    assert len(server.heard) == 1


@schemes
def test_who_must_can_do_without_the_name_of_the_host(peer: Callable[[str], Peer], scheme: str) -> None:
    server = peer("DNS:other.example")
    options = f"ssl_ca_certs={server.authority}&ssl_check_hostname=false"

    with pytest.raises(BrokerUnavailable, match=r"(?i)closed|reset|EOF"):
        connect(f"{scheme}://us:secret@127.0.0.1:{server.port}/1?{options}").publish(b"news")

    assert len(server.heard) == 1
