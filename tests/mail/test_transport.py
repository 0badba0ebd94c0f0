"""Mails are handed over to a real SMTP server, which may refuse, hang, drip or break off."""

from __future__ import annotations

import logging
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flask_mail
import pytest
from flask import Flask

from flask_notify.mailing.transport import FlaskMailTransport, RefusedForGood, ServerUnusable, TryLater
from tests.servers import Unavailable, free_port
from tests.servers.smtp import DRIP, END, HANG, SMTPServer, Step, say

SENDER = "news@example.org"
SUSAN, DAVID = "susan@example.org", "david@example.org"
CONTENT = b"Subject: Hello\r\nFrom: news@example.org\r\nMessage-ID: <1@example.org>\r\n\r\n.\r\nA dot stood there.\r\n"
PATIENCE = 30.0
IMPATIENCE = 0.4
FOR_EVER = 25.0
"""Nobody who is not cut ends before; seconds."""

# What the server says of a login that is not encrypted.
NO_TLS = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


def make_transport(port: int, timeout: float = PATIENCE, **config: Any) -> FlaskMailTransport:
    app = Flask("tests.mail")
    app.config.update(MAIL_SERVER="127.0.0.1", MAIL_PORT=port, **config)
    return FlaskMailTransport(app, timeout)


def send_to(server: SMTPServer, address: str = SUSAN, **config: Any) -> None:
    with make_transport(server.port, **config).connection() as connection:
        connection.send(SENDER, address, CONTENT)


def test_the_server_gets_the_very_bytes(smtp: SMTPServer) -> None:
    send_to(smtp)

    assert smtp.to(SUSAN) == [CONTENT]
    assert smtp.received[0].sender == SENDER


def test_one_conversation_serves_a_batch(smtp: SMTPServer) -> None:
    with make_transport(smtp.port).connection() as connection:
        for _ in range(20):
            connection.send(SENDER, SUSAN, CONTENT)

    assert smtp.to(SUSAN) == [CONTENT] * 20
    assert smtp.connections == 1


def test_a_conversation_that_sends_nothing_is_never_opened(smtp: SMTPServer) -> None:
    with make_transport(smtp.port).connection():
        pass

    assert smtp.connections == 0


def test_after_as_many_mails_as_flask_mail_allows_the_conversation_is_a_new_one(smtp: SMTPServer) -> None:
    with make_transport(smtp.port, MAIL_MAX_EMAILS=2).connection() as connection:
        for _ in range(5):
            connection.send(SENDER, SUSAN, CONTENT)

    assert len(smtp.received) == 5
    assert smtp.connections == 3


@pytest.mark.parametrize("code", [550, 553, 554, 501])
@pytest.mark.parametrize("when", ["at_rcpt", "at_data"])
def test_a_refusal_for_good_names_what_the_server_said_and_others_are_served(
    smtp: SMTPServer, when: str, code: int
) -> None:
    getattr(smtp, when)[DAVID] = say(f"{code} 5.1.1 no such mailbox")

    with make_transport(smtp.port).connection() as connection:
        with pytest.raises(RefusedForGood, match="no such mailbox") as refused:
            connection.send(SENDER, DAVID, CONTENT)
        connection.send(SENDER, SUSAN, CONTENT)

    assert refused.value.code == code
    assert [mail.address for mail in smtp.received] == [SUSAN]
    assert smtp.connections == 1


# 552 is a full mailbox, 530 a login that is missing: both pass.
@pytest.mark.parametrize("code", [450, 451, 452, 552, 530])
def test_a_passing_refusal_asks_for_another_attempt(smtp: SMTPServer, code: int) -> None:
    smtp.at_rcpt[DAVID] = say(f"{code} 4.2.1 not now")

    with make_transport(smtp.port).connection() as connection:
        with pytest.raises(TryLater, match="not now") as later:
            connection.send(SENDER, DAVID, CONTENT)
        connection.send(SENDER, SUSAN, CONTENT)

    assert later.value.code == code
    assert not isinstance(later.value, ServerUnusable)
    assert [mail.address for mail in smtp.received] == [SUSAN]


@pytest.mark.parametrize("misbehaviour", [HANG, DRIP])
@pytest.mark.parametrize("when", ["at_rcpt", "at_data", "at_taken"])
def test_a_server_that_hangs_or_drips_is_cut_when_the_time_is_over(
    smtp: SMTPServer, when: str, misbehaviour: str
) -> None:
    getattr(smtp, when)[DAVID] = say(misbehaviour)

    with make_transport(smtp.port).connection() as connection:
        connection.send(SENDER, SUSAN, CONTENT)
        limited: Any = connection
        limited._timeout = IMPATIENCE  # for the one mail: the others may take as long as the machine is slow
        begun = time.monotonic()
        with pytest.raises(TryLater) as later:
            connection.send(SENDER, DAVID, CONTENT)
        took = time.monotonic() - begun
        limited._timeout = PATIENCE
        connection.send(SENDER, SUSAN, CONTENT)

    assert IMPATIENCE * 0.9 < took < FOR_EVER
    assert not isinstance(later.value, ServerUnusable)
    assert len(smtp.to(SUSAN)) == 2


@contextmanager
def speaking(speak: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve raw connections; yield the port."""
    with socket.create_server(("127.0.0.1", free_port())) as listening:

        def serve() -> None:
            try:
                connection, _ = listening.accept()
                with connection:
                    speak(connection)
            except OSError:
                pass  # the client has gone, or the test is over

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()


def say_nothing(connection: socket.socket) -> None:
    connection.recv(1)  # until the client goes


def drip(connection: socket.socket) -> None:
    never = threading.Event()
    while True:
        connection.sendall(b"2")
        never.wait(0.05)


@pytest.mark.parametrize("speak", [say_nothing, drip])
@pytest.mark.parametrize("tls", [False, True])
def test_a_server_that_never_ends_its_greeting_is_cut_when_the_time_is_over(
    speak: Callable[[socket.socket], None], tls: bool
) -> None:
    with speaking(speak) as port:
        begun = time.monotonic()
        with (
            pytest.raises(ServerUnusable),
            make_transport(port, IMPATIENCE, MAIL_USE_SSL=tls).connection() as connection,
        ):
            connection.send(SENDER, SUSAN, CONTENT)
        took = time.monotonic() - begun

    assert took < FOR_EVER


def test_a_goodbye_that_is_not_answered_takes_no_longer_than_a_mail(smtp: SMTPServer) -> None:
    smtp.at_rcpt[SUSAN] = say(HANG)
    transport = make_transport(smtp.port, IMPATIENCE)
    begun = time.monotonic()

    with pytest.raises(TryLater), transport.connection() as connection:
        connection.send(SENDER, SUSAN, CONTENT)

    assert time.monotonic() - begun < FOR_EVER


def test_a_server_that_is_not_there_is_told_from_one_mail_that_is_refused() -> None:
    with (
        pytest.raises(ServerUnusable, match="ConnectionRefusedError"),
        make_transport(free_port()).connection() as connection,
    ):
        connection.send(SENDER, SUSAN, CONTENT)


def test_a_conversation_that_the_server_has_ended_is_opened_anew(smtp: SMTPServer) -> None:
    with make_transport(smtp.port).connection() as connection:
        connection.send(SENDER, SUSAN, CONTENT)
        smtp.end_conversations()
        connection.send(SENDER, SUSAN, CONTENT)

    assert len(smtp.received) == 2
    assert smtp.connections == 2


def test_a_mail_that_was_announced_arrives_as_any_other(smtp: SMTPServer) -> None:
    with make_transport(smtp.port).connection() as conversation:
        connection: Any = conversation
        connection.send(SENDER, DAVID, CONTENT)
        connection.announce(SENDER, CONTENT)
        connection.announce(SENDER, CONTENT)
        connection.send(SENDER, SUSAN, CONTENT)

    assert [(mail.sender, mail.address, mail.content) for mail in smtp.received] == [
        (SENDER, DAVID, CONTENT),
        (SENDER, SUSAN, CONTENT),
    ]
    assert smtp.connections == 1


def test_a_mail_that_was_announced_and_does_not_come_leaves_room_for_another(smtp: SMTPServer) -> None:
    longer = CONTENT + b"Another dot.\r\n"

    with make_transport(smtp.port).connection() as conversation:
        connection: Any = conversation
        connection.send(SENDER, DAVID, CONTENT)
        connection.announce(SENDER, CONTENT)
        connection.send(SENDER, SUSAN, longer)
        connection.announce(SENDER, longer)

    assert smtp.to(SUSAN) == [longer]
    assert len(smtp.received) == 2
    assert smtp.connections == 1


def test_nothing_is_announced_where_there_is_no_conversation(smtp: SMTPServer) -> None:
    with make_transport(smtp.port, MAIL_MAX_EMAILS=1).connection() as conversation:
        connection: Any = conversation
        connection.announce(SENDER, CONTENT)
        assert smtp.connections == 0
        connection.send(SENDER, SUSAN, CONTENT)
        connection.announce(SENDER, CONTENT)  # as many as it may have went this way
        connection.send(SENDER, SUSAN, CONTENT)

    assert smtp.to(SUSAN) == [CONTENT] * 2
    assert smtp.connections == 2


def test_a_server_that_refuses_one_mail_is_told_of_the_next_one_anew(smtp: SMTPServer) -> None:
    smtp.at_rcpt[DAVID] = say("550 5.1.1 no such mailbox")

    with make_transport(smtp.port).connection() as conversation:
        connection: Any = conversation
        connection.send(SENDER, SUSAN, CONTENT)
        connection.announce(SENDER, CONTENT)
        with pytest.raises(RefusedForGood):
            connection.send(SENDER, DAVID, CONTENT)
        connection.send(SENDER, SUSAN, CONTENT)

    assert smtp.to(SUSAN) == [CONTENT] * 2
    assert smtp.connections == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_conversation_that_ends_at_an_announcement_is_opened_anew(smtp: SMTPServer, when: str) -> None:
    with make_transport(smtp.port).connection() as conversation:
        connection: Any = conversation
        connection.send(SENDER, DAVID, CONTENT)
        if when == "before":
            smtp.end_conversations()
        connection.announce(SENDER, CONTENT)
        if when == "after":
            smtp.end_conversations()
        connection.send(SENDER, SUSAN, CONTENT)

    assert smtp.to(SUSAN) == [CONTENT]
    assert smtp.connections == 2


def test_announcing_never_waits_for_a_server_that_reads_no_more(smtp: SMTPServer) -> None:
    with make_transport(smtp.port).connection() as conversation:
        connection: Any = conversation
        connection.send(SENDER, DAVID, CONTENT)
        client = connection.host
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        client.sock.setblocking(False)
        smtp.at_rcpt["*"] = say(HANG)
        client.sock.sendall(f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{DAVID}>\r\n".encode())
        refusals = 0
        while refusals < 20:  # until there is no more room, nor any to come: the server takes some in on its own
            try:
                client.sock.send(b"NOOP " + b"x" * 1_000 + b"\r\n")
            except BlockingIOError:
                refusals += 1
                time.sleep(0.02)
            else:
                refusals = 0
        connection.announce(SENDER, CONTENT)
        smtp.at_rcpt.clear()
        connection.send(SENDER, SUSAN, CONTENT)

    assert smtp.to(SUSAN) == [CONTENT]
    assert smtp.connections == 2


def once(reply: str) -> Step:
    replies = [reply]
    return lambda _address: replies.pop() if replies else None


def test_a_server_that_wants_no_more_in_this_conversation_gets_the_mail_in_the_next(smtp: SMTPServer) -> None:
    smtp.at_rcpt[DAVID] = once("421 4.7.0 too many mails in this session")

    with make_transport(smtp.port).connection() as connection:
        connection.send(SENDER, SUSAN, CONTENT)
        connection.send(SENDER, DAVID, CONTENT)

    assert [mail.address for mail in smtp.received] == [SUSAN, DAVID]
    assert smtp.connections == 2


@pytest.mark.parametrize("when", ["at_data", "at_taken"])
def test_a_conversation_that_breaks_after_the_content_is_not_repeated_at_once(smtp: SMTPServer, when: str) -> None:
    getattr(smtp, when)[DAVID] = once(END)

    with make_transport(smtp.port).connection() as connection:
        with pytest.raises(TryLater, match="SMTPServerDisconnected"):
            connection.send(SENDER, DAVID, CONTENT)
        connection.send(SENDER, SUSAN, CONTENT)

    # Whether David has it, nobody can know: the second attempt is the outbox's.
    assert len(smtp.to(DAVID)) == (when == "at_taken")
    assert len(smtp.to(SUSAN)) == 1


@NO_TLS
def test_the_server_is_told_the_name_and_the_password(start_smtp: Callable[..., SMTPServer]) -> None:
    server = start_smtp(login=("micro", "secret"))

    send_to(server, MAIL_USERNAME="micro", MAIL_PASSWORD="secret")

    assert len(server.to(SUSAN)) == 1


@NO_TLS
def test_a_wrong_password_stops_all_mails_for_now_and_is_logged(
    start_smtp: Callable[..., SMTPServer], caplog: pytest.LogCaptureFixture
) -> None:
    server = start_smtp(login=("micro", "secret"))

    with pytest.raises(ServerUnusable, match="MAIL_PASSWORD"):
        send_to(server, MAIL_USERNAME="micro", MAIL_PASSWORD="guess")

    assert [record.levelno for record in caplog.records if record.name == "flask_notify"] == [logging.ERROR]
    assert "guess" not in caplog.text


@NO_TLS
def test_a_server_that_wants_a_login_stops_all_mails_for_now(start_smtp: Callable[..., SMTPServer]) -> None:
    with pytest.raises(ServerUnusable, match="530"):
        send_to(start_smtp(login=("micro", "secret")))


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """A server's context with a certificate of its own."""
    from tests.conftest import missing

    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "2"]
    try:
        subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    except FileNotFoundError:
        missing(Unavailable("openssl", "apt-get install -y --no-install-recommends openssl"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@pytest.mark.parametrize("at_once", [True, False])
def test_mails_go_out_encrypted(start_smtp: Callable[..., SMTPServer], tls: ssl.SSLContext, at_once: bool) -> None:
    server = start_smtp(tls=tls, at_once=at_once)

    send_to(server, MAIL_USE_SSL=at_once, MAIL_USE_TLS=not at_once)

    assert server.to(SUSAN) == [CONTENT]


def test_an_encrypted_server_that_hangs_is_cut_when_the_time_is_over(
    start_smtp: Callable[..., SMTPServer], tls: ssl.SSLContext
) -> None:
    server = start_smtp(tls=tls, at_once=True)
    server.at_taken[SUSAN] = say(DRIP)
    begun = time.monotonic()

    with (
        pytest.raises(TryLater),
        make_transport(server.port, IMPATIENCE, MAIL_USE_SSL=True).connection() as connection,
    ):
        connection.send(SENDER, SUSAN, CONTENT)

    assert time.monotonic() - begun < FOR_EVER


def test_a_server_without_the_encryption_that_is_wanted_gets_nothing(smtp: SMTPServer) -> None:
    with pytest.raises(ServerUnusable, match="STARTTLS"):
        send_to(smtp, MAIL_USE_TLS=True)

    assert smtp.received == []


def test_with_mail_suppressed_flask_mails_own_recorder_sees_it_and_no_server_does(smtp: SMTPServer) -> None:
    app = Flask("tests.mail")
    app.config.update(TESTING=True, MAIL_SERVER="127.0.0.1", MAIL_PORT=smtp.port)
    mail = flask_mail.Mail(app)

    with mail.record_messages() as outbox, FlaskMailTransport(app, PATIENCE).connection() as connection:
        connection.send(SENDER, SUSAN, CONTENT)

    (message,) = outbox
    assert (message.subject, message.recipients, message.sender) == ("Hello", [SUSAN], SENDER)
    assert message.msgId == "<1@example.org>"
    assert message.as_bytes() == CONTENT
    assert smtp.connections == 0


def test_a_listener_that_raises_does_not_make_a_mail_look_unsent(
    smtp: SMTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("a listener of the application's")

    with flask_mail.email_dispatched.connected_to(fail):
        send_to(smtp)

    assert len(smtp.to(SUSAN)) == 1
    assert "email_dispatched" in caplog.text


@pytest.mark.parametrize("configured", ["news@example.org", ("Microblog", "news@example.org")])
def test_the_default_sender_is_flask_mails(configured: Any) -> None:
    assert make_transport(25, MAIL_DEFAULT_SENDER=configured).default_sender in (
        "news@example.org",
        "Microblog <news@example.org>",
    )


def test_a_server_whose_name_has_no_address_is_unusable() -> None:
    app = Flask("tests.mail")
    app.config.update(MAIL_SERVER="mail.invalid", MAIL_PORT=25)

    with pytest.raises(ServerUnusable), FlaskMailTransport(app, PATIENCE).connection() as connection:
        connection.send(SENDER, SUSAN, CONTENT)
