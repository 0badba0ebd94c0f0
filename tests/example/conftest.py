"""The application with an empty database of its own, and people who use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
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


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let one process have all tests that look at the same demo: another would start it again."""
    for name in ("demo", "announcing_demo", "runs"):
        if name in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group(name))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that began with nothing, to look at.

    The guides are left as they are, but for what no other test asks about. Who acts is somebody
    else, whom no other test asks about either.
    """
    with closing(Demo(tmp_path_factory.mktemp("demo"))) as demo:
        yield demo


@pytest.fixture(scope="module")
def announcing_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Another one, where everybody is told something."""
    with closing(Demo(tmp_path_factory.mktemp("announcing"))) as demo:
        yield demo
