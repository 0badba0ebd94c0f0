"""What is kept of a password, by the application as it is."""

from __future__ import annotations

import pytest
from flask import Flask

from examples.microblog.models import User
from tests.example.visitor import PASSWORD, Visitor


@pytest.fixture(autouse=True)
def cheap_passwords() -> None:
    """Leave hashes of passwords as costly as they are."""


def test_a_password_is_kept_as_a_costly_hash(app: Flask) -> None:
    Visitor(app, "alice").register()

    with app.app_context():
        alice = User.named("alice")
        assert alice
        assert alice.password_hash.startswith("scrypt:32768:8:1$")
        assert PASSWORD not in alice.password_hash
        assert alice.check_password(PASSWORD)
        assert not alice.check_password(PASSWORD + "!")
