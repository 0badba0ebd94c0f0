"""What is published is whole: it is built, installed into an empty environment, and used."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOT_SHIPPED = {"__pycache__", ".mypy_cache"}
NOT_COPIED = (".*", "__pycache__", "*.egg-info", "_build", "build", "dist", "node_modules", "*.sqlite*")

USE_IT = """
from pathlib import Path
from flask import Flask
from flask_login import LoginManager, UserMixin, login_user
from flask_sqlalchemy import SQLAlchemy
import flask_notify

assert "site-packages" in flask_notify.__file__, flask_notify.__file__
assert (Path(flask_notify.__file__).parent / "py.typed").exists()

db = SQLAlchemy()
notify = flask_notify.Notify(db=db)

class User(flask_notify.RecipientMixin, UserMixin, db.Model):
    id = db.Column(db.Integer, primary_key=True)

app = Flask(__name__)
app.config.update(SECRET_KEY="installed", SQLALCHEMY_DATABASE_URI="sqlite:///:memory:")
db.init_app(app)
login = LoginManager(app)
login.user_loader(lambda key: db.session.get(User, int(key)))
notify.init_app(app)

@app.post("/login")
def log_in():
    login_user(db.session.get(User, 1))
    return ""

@app.get("/page")
def page():
    from flask import render_template_string
    helpers = "{{ notify_badge() }}{{ notify_progress('p') }}{{ notify_script() }}"
    return render_template_string(helpers)

with app.app_context():
    db.create_all()
    user = User()
    db.session.add(user)
    user.add_notification("p", 40)
    db.session.commit()
client = app.test_client()
assert client.get("/notifications").status_code == 401
client.post("/login")
assert client.get("/notifications").json[0]["data"] == 40
assert "notify.js" in client.get("/page").text
assert client.get("/notify/static/notify.js").status_code == 200
assert client.get("/notify/static/notify.css").status_code == 200
answer = app.test_cli_runner().invoke(args=["notify", "migrations-path"])
path = Path(answer.output.strip())
assert (path / "env.py").exists() and list((path / "versions").glob("*.py")), answer.output
"""


def requirements() -> list[str]:
    metadata = configparser.ConfigParser()
    metadata.read(ROOT / "setup.cfg")
    return metadata["options"]["install_requires"].split()


def shipped(directory: str) -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / directory).rglob("*")
        if path.is_file() and not NOT_SHIPPED & set(path.parts)
    }


# One process builds: two at a time would be in one another's way in the checkout.
built_once = pytest.mark.xdist_group("built")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the sdist, and the wheel that was built from it."""
    directory = tmp_path_factory.mktemp("dist")
    # Of a copy: in the checkout other tests come and go, and leave traces while it is read.
    source = tmp_path_factory.mktemp("source") / "project"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*NOT_COPIED))
    run(sys.executable, "-m", "build", "--outdir", directory, source, cwd=directory)
    return directory


def run(*command: object, cwd: Path | None = None) -> None:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.slow
@built_once
def test_the_wheel_is_the_package_with_its_migrations_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}

    migrations = {f"flask_notify/{name}" for name in shipped("migrations")}
    assert names == shipped("flask_notify") | migrations


@pytest.mark.slow
@built_once
def test_the_sdist_has_what_testing_and_building_need(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {"setup.cfg", "pyproject.toml", "Makefile", "CHANGELOG.rst", "LICENSE"} <= names
    assert shipped("flask_notify") | shipped("migrations") <= names
    assert {"tests/conftest.py", "docs/conf.py"} <= names
    assert not [name for name in names if name.endswith((".pyc", ".sqlite"))]


@pytest.mark.slow
@built_once
def test_the_wheel_works_in_an_empty_environment(built: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    (wheel,) = built.glob("*.whl")
    # By the pip that is here. It need not compile what is imported once, and mostly not at all.
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python)
    run(*pip, "install", "--quiet", "--no-compile", wheel)

    run(python, "-I", "-c", USE_IT, cwd=tmp_path)

    run(*pip, "check")


def test_the_lowest_versions_that_are_tested_are_those_that_are_promised() -> None:
    promised = [re.sub(r">=([0-9.]+).*", r"==\1", line) for line in requirements()]
    tested = (ROOT / "tests" / "constraints-min.txt").read_text().split()

    def padded(pin: str) -> tuple[str, list[int]]:
        name, _, version = pin.partition("==")
        numbers = [int(number) for number in version.split(".")]
        return name, [*numbers, 0, 0][:3]

    assert sorted(map(padded, tested)) == sorted(map(padded, promised))


def test_all_metadata_is_in_setup_cfg() -> None:
    sections = re.findall(r"^\[(.+)\]$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)

    assert sections == ["build-system"]
