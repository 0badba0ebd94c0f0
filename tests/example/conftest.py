"""The application with an empty database of its own, and people who use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.security import generate_password_hash

from examples.microblog import create_app
from examples.microblog.extensions import db
from tests.browser.conftest import module_file  # noqa: F401  # a fixture
from tests.example.running import Demo
from tests.example.visitor import Visitor


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let hashes of passwords cost little, for people register and log in by the hundred here."""
    cheap = partial(generate_password_hash, method="scrypt:1024:8:1")
    monkeypatch.setattr("examples.microblog.models.user.generate_password_hash", cheap)


@pytest.fixture
def make_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Flask]]:
    """Build applications, with tables, in a folder of this test's own; options are settings."""
    monkeypatch.setenv("MICROBLOG_INSTANCE_PATH", str(tmp_path))
    apps: list[Flask] = []

    def make(**config: Any) -> Flask:
        app = create_app(config)
        apps.append(app)
        with app.app_context():
            db.create_all()
        return app

    yield make
    for app in apps:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """The application as it is configured by default."""
    return make_app()


@pytest.fixture
def alice(app: Flask) -> Visitor:
    """A person with an account."""
    return Visitor(app, "alice").register()


@pytest.fixture
def bob(app: Flask) -> Visitor:
    """Another person with an account."""
    return Visitor(app, "bob").register()


@pytest.fixture
def run_demo(tmp_path: Path) -> Iterator[Callable[[], Demo]]:
    """Start demos on the same folder; those still running are stopped."""
    demos: list[Demo] = []

    def run() -> Demo:
        demos.append(Demo(tmp_path))
        return demos[-1]

    yield run
    for demo in demos:
        if demo.process.poll() is None:
            demo.stop()
