"""RabbitMQ: run from the distribution's own files, with a port mapper of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .base import Server, Unavailable, free_port

INSTALL = "apt-get install -y --no-install-recommends rabbitmq-server"
PACKAGED = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")

SETTINGS = """
listeners.tcp.1 = 127.0.0.1:{port}
log.console = true
log.console.level = warning
log.file = false
disk_free_limit.absolute = 10MB
"""


class RabbitMQ(Server):
    """A RabbitMQ node that knows no other; it takes some seconds to start.

    Nodes find one another by a port mapper (epmd), which would be started by the first and outlive
    it: this one's is a child of the tests, on a port of its own.
    """

    name = "rabbitmq"
    account = "rabbitmq"

    def __init__(self) -> None:
        self.daemon = _find()
        self.mapper = _find_mapper()
        super().__init__()
        self.mapper_port = free_port()
        self.distribution_port = free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self._mapping: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        """Stop the server for good and remove its data."""
        super().close()
        if self._mapping is not None:
            self._mapping.kill()
            self._mapping.wait()
            self._mapping = None

    def prepare(self) -> None:
        """Write the settings, and start the port mapper."""
        (self.directory / "rabbitmq.conf").write_text(SETTINGS.format(port=self.port))
        os.chmod(self.directory / "rabbitmq.conf", 0o644)
        with self.log.open("ab") as log:
            self._mapping = self._popen([self.mapper, "-port", str(self.mapper_port)], log)

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground."""
        return [self.daemon]

    def control(self, *command: str) -> None:
        """Do what an administrator does by rabbitmqctl; it takes seconds."""
        self.run([str(Path(self.daemon).with_name("rabbitmqctl")), *command])

    @contextmanager
    def out_of_memory(self) -> Iterator[None]:
        """Let the node believe that it has no memory left, so that it takes no messages."""
        self.control("set_vm_memory_high_watermark", "0")
        try:
            yield
        finally:
            self.control("set_vm_memory_high_watermark", "0.4")

    def environment(self) -> dict[str, str]:
        """Return what tells the node its name, its ports and its directories."""
        directory = self.directory
        return {
            "HOME": str(directory),
            "ERL_EPMD_PORT": str(self.mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"test-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq"),
            "RABBITMQ_MNESIA_BASE": str(directory / "data"),
            "RABBITMQ_LOG_BASE": str(directory),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +SDcpu 1 +SDio 1 +sbwt none",
            # The script gives its process to the node, so that signals reach it.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def answers(self) -> bool:
        """Return whether a client gets an answer."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return connection.recv(1) == b"\x01"
        except OSError:
            return False


def _find() -> str:
    # Not the wrapper on the path, which wants to be root.
    found = str(PACKAGED) if PACKAGED.exists() else shutil.which("rabbitmq-server")
    if found is None:
        raise Unavailable("RabbitMQ", INSTALL)
    return found


def _find_mapper() -> str:
    found = shutil.which("epmd")
    if found is None:
        raise Unavailable("Erlang's port mapper", INSTALL)
    return found
