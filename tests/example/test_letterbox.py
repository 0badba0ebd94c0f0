"""The pages on which the demo shows the mails that it caught, and the server that catches them."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from email import policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask import Flask

from examples.microblog.demo.catcher import catch_mail
from examples.microblog.letterbox.store import Letterbox
from tests.example.visitor import Visitor

HTML = '<!doctype html><html><head><title>x</title></head><body><p>Good <a href="/x">news</a></p></body></html>'


@pytest.fixture
def app(make_app: Callable[..., Flask], tmp_path: Path) -> Flask:
    """The application as the demo configures it."""
    return make_app(LETTERBOX_FOLDER=str(tmp_path / "mail"))


def letter(subject: str, html: str | None = HTML) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = subject
    mail["From"] = "Microblog <hello@microblog.example>"
    mail.set_content("Good news")
    if html:
        mail.add_alternative(html, subtype="html")
    return mail


def put(tmp_path: Path, address: str, mail: EmailMessage) -> str:
    """Put a mail into a letterbox; return its name."""
    box = Letterbox(tmp_path / "mail", address)
    box.put(mail.as_bytes())
    return next(iter(box)).name


def test_what_is_sent_lies_in_the_letterboxes_of_its_recipients_as_it_was_sent(tmp_path: Path) -> None:
    mail = letter("Hello", html=None)
    mail.set_content("One line\n.and one that begins with a stop\n")

    with catch_mail("127.0.0.1", tmp_path) as port, smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.sendmail(
            "hello@microblog.example", ["a@example.org", "b@example.org"], mail.as_bytes(policy=policy.SMTP)
        )

    for address in ("a@example.org", "B@Example.org"):
        [caught] = Letterbox(tmp_path, address)
        assert caught.subject == "Hello"
        assert caught.content == mail.as_bytes(policy=policy.SMTP)
    assert list(Letterbox(tmp_path, "c@example.org")) == []


def test_the_catcher_is_gone_when_it_is_left(tmp_path: Path) -> None:
    with catch_mail("127.0.0.1", tmp_path) as port:
        pass

    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP("127.0.0.1", port, timeout=60)


def test_a_site_that_catches_no_mail_has_no_letterbox(make_app: Callable[..., Flask]) -> None:
    alice = Visitor(make_app(), "alice").register()

    alice.open("/mail/", 404)
    assert 'href="/mail/"' not in alice.open("/messages")


def test_one_sees_ones_own_mail_newest_first(alice: Visitor, bob: Visitor, tmp_path: Path) -> None:
    first = put(tmp_path, "alice@example.org", letter("The first"))
    second = put(tmp_path, "alice@example.org", letter("The <second>"))

    page = alice.open("/mail/")

    assert page.index(second) < page.index(first)
    assert "The &lt;second&gt;" in page
    assert first not in bob.open("/mail/")
    bob.open(f"/mail/{first}", 404)
    bob.open(f"/mail/{first}/html", 404)


def test_a_mail_is_shown_as_html_and_as_text_with_its_headers(alice: Visitor, tmp_path: Path) -> None:
    name = put(tmp_path, "alice@example.org", letter("Hello"))

    page = alice.open(f"/mail/{name}")

    assert f'<iframe class="letter" src="/mail/{name}/html"' in page
    assert 'sandbox="allow-top-navigation-by-user-activation"' in page
    assert "Good news" in page
    assert "hello@microblog.example" in page


def test_the_html_of_a_mail_can_do_nothing_but_lead_elsewhere(alice: Visitor, tmp_path: Path) -> None:
    name = put(tmp_path, "alice@example.org", letter("Hello"))

    answer = alice.client.get(f"/mail/{name}/html")

    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-top-navigation-by-user-activation; default-src 'none'")
    assert "script" not in policy
    assert '<base target="_top">' in answer.text


def test_a_mail_of_text_alone_has_no_frame(alice: Visitor, tmp_path: Path) -> None:
    name = put(tmp_path, "alice@example.org", letter("Hello", html=None))

    page = alice.open(f"/mail/{name}")

    assert "<iframe" not in page
    assert "Good news" in page
    alice.open(f"/mail/{name}/html", 404)


@pytest.mark.parametrize("name", ["x", "..", ".hidden", "0000000000000000-00000000", "%2e%2e%2fsecret_key"])
def test_nothing_but_mails_can_be_opened(alice: Visitor, name: str) -> None:
    alice.open(f"/mail/{name}", 404)


def test_visitors_have_to_log_in_to_read_mail(app: Flask) -> None:
    assert app.test_client().get("/mail/").location.startswith("/login")


def test_an_empty_letterbox_says_when_there_will_be_mail(alice: Visitor) -> None:
    assert "leave it unread for 300 seconds" in alice.open("/mail/")
