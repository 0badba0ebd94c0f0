"""Fixtures for all tests: databases, brokers, an application builder, live servers and a browser."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import pytest
from flask import Flask
from hypothesis import settings

from tests.apps import Site, make_app
from tests.compiled import CompiledOnce
from tests.live import LiveServer
from tests.matrix import Variant, pairwise, whole
from tests.servers import DATABASE_NAMES, Database, Databases, RabbitMQ, Redis, Server, Unavailable

if TYPE_CHECKING:
    from playwright.sync_api import Browser

REQUIRE_ALL = os.environ.get("REQUIRE") == "all"
_ROOM = 4 * 2**30
BROKER_NAMES = ("memory", "redis", "rabbitmq")
# Chromium heeds only the last list of features, so these are Playwright's, too. Ours are what a window prepares
# for somebody who is about to type an address or to open another site: renderers that nobody uses, which
# cost more than half of what a short test does in a browser.
_FEATURES = (
    "AimEnabled",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
    # Ours
    "SpareRendererForSitePerProcess",
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxFullPopup",
    "WebUIOmniboxPopup",
)
CHROMIUM_ARGUMENTS = [f"--disable-features={','.join(_FEATURES)}"]
_BROKERS = {"redis": "redis", "rabbitmq": "rabbitmq", "postgresql": "postgresql_database"}
_MISSING = "is not on this machine: "


def pytest_configure() -> None:
    """Let a terminated run end as an interrupted one does: with its servers stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _keep_files_in_memory()
    Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": CompiledOnce()}
    # A process of the tests would compile all modules anew, where those before it may not write them down.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # A machine that does other things is slow now and then; no test tells how long an example takes.
    settings.register_profile("untimed", settings(), deadline=None)
    settings.load_profile("untimed")


def _keep_files_in_memory() -> None:
    """Let databases lie in memory, where there is room: they commit thousands of times, for nobody.

    They are the same servers, with the same settings. TMPDIR chooses another place.
    """
    memory = Path("/dev/shm")  # noqa: S108  # whose files are made as those of any temporary directory
    if "TMPDIR" in os.environ or not os.access(memory, os.W_OK):
        return
    if shutil.disk_usage(memory).free > _ROOM:
        os.environ["TMPDIR"] = str(memory)
        tempfile.tempdir = None  # it is asked for anew


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that choose what is run."""
    group = parser.getgroup("flask-notify")
    group.addoption("--databases", default=",".join(DATABASE_NAMES), help="kinds of database, with commas")
    group.addoption("--matrix", action="store_true", help="every combination of keys, bases and databases")
    group.addoption("--fast", action="store_true", help="SQLite only, no browser, nothing marked slow")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with a `database` on every kind that it asks for.

    One with `any_site` is run with every kind of application.
    """
    if "variant" in metafunc.fixturenames:
        variants = whole() if metafunc.config.getoption("matrix") else pairwise()
        parameters = [pytest.param(variant, variant.database, id="-".join(variant)) for variant in variants]
        metafunc.parametrize("variant,database", parameters, indirect=["database"])
    elif "database" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("databases")
        metafunc.parametrize("database", marker.args if marker else DATABASE_NAMES, indirect=True)
    if "broker_url" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("brokers")
        metafunc.parametrize("broker_url", marker.args if marker else BROKER_NAMES, indirect=True)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let one process have all tests with RabbitMQ, which takes long to start and much memory."""
    if _needs(item, "rabbitmq"):
        item.add_marker(pytest.mark.xdist_group("rabbitmq"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what --databases and --fast do not want."""
    fast = config.getoption("fast")
    databases = ["sqlite"] if fast else config.getoption("databases").split(",")
    unwanted = [item for item in items if _kind(item) not in [None, *databases] or (fast and _is_slow(item))]
    if unwanted:
        config.hook.pytest_deselected(items=unwanted)
        left_out = set(unwanted)
        items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what lives as long as the run, and come by less often.

    Each application makes thousands of objects that refer to one another: with the usual
    thresholds the collector takes a fifth of the suite's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _kind(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    database = callspec.params.get("database") if callspec else None
    return database.split("-", maxsplit=1)[0] if database else None


def _needs(item: pytest.Item, broker: str) -> bool:
    callspec = getattr(item, "callspec", None)
    chosen = callspec.params.get("broker_url") if callspec else None
    return chosen == broker or _BROKERS[broker] in getattr(item, "fixturenames", ())


def _is_slow(item: pytest.Item) -> bool:
    marked = item.get_closest_marker("slow") is not None
    served = _needs(item, "rabbitmq") or _needs(item, "postgresql")
    return marked or served or "browser" in getattr(item, "fixturenames", ())


def missing(reason: Unavailable) -> NoReturn:
    """Skip the test for want of something, or fail it where everything is required."""
    if REQUIRE_ALL:
        pytest.fail(f"REQUIRE=all, and {_MISSING}{reason}", pytrace=False)
    pytest.skip(f"What it needs {_MISSING}{reason}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how many tests could not run, and what to install."""
    # From the reports, for with several processes the tests ran in others than this one.
    reports = (report for outcome in ("skipped", "failed", "error") for report in terminalreporter.getreports(outcome))
    missing_ones = Counter(
        _reason(report).partition(_MISSING)[2].strip() for report in reports if _MISSING in _reason(report)
    )
    outcome = "failed" if REQUIRE_ALL else "skipped"
    for reason, count in missing_ones.items():
        terminalreporter.write_line(f"{count} test(s) {outcome}: {reason}")


def _reason(report: pytest.TestReport) -> str:
    skipped = report.longrepr
    return str(skipped[2]) if isinstance(skipped, tuple) else report.longreprtext.splitlines()[0]


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """The database servers of this run, each started when it is first needed."""
    servers = Databases()
    yield servers
    servers.close()


@pytest.fixture
def database(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Iterator[Database]:
    """A fresh, empty database, on each kind in turn (see the marker `databases`)."""
    with ExitStack() as stack:
        try:
            fresh = stack.enter_context(databases.fresh(request.param, tmp_path))
        except Unavailable as reason:
            missing(reason)
        yield fresh


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[RabbitMQ]:
    """RabbitMQ, once for this run."""
    with _one(RabbitMQ) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """Redis, once for this run."""
    with _one(Redis) as server:
        yield server


_AServer = TypeVar("_AServer", bound=Server)


@contextmanager
def _one(kind: type[_AServer]) -> Iterator[_AServer]:
    try:
        server = kind()
    except Unavailable as reason:
        missing(reason)
    yield server
    server.close()


@pytest.fixture
def rabbitmq(rabbitmq_server: RabbitMQ) -> Iterator[RabbitMQ]:
    """RabbitMQ, running at the start of the test whatever the one before did to it.

    What was in its durable queues is still there: let each test name its own.
    """
    rabbitmq_server.start()
    yield rabbitmq_server
    rabbitmq_server.resume()


@pytest.fixture
def redis(redis_server: Redis) -> Iterator[Redis]:
    """Redis, running and empty at the start of the test."""
    redis_server.start()
    redis_server.empty()
    yield redis_server
    redis_server.resume()


@pytest.fixture
def broker_url(request: pytest.FixtureRequest) -> str:
    """The address of a broker, of each kind in turn (see the marker `brokers`)."""
    if request.param == "memory":
        return f"memory://{uuid.uuid4()}"
    server: Redis | RabbitMQ | Database = request.getfixturevalue(_BROKERS[request.param])
    return server.url


@pytest.fixture
def postgresql_database(databases: Databases, tmp_path: Path) -> Iterator[Database]:
    """An empty database of PostgreSQL."""
    with ExitStack() as stack:
        try:
            fresh = stack.enter_context(databases.fresh("postgresql", tmp_path))
        except Unavailable as reason:
            missing(reason)
        yield fresh


@pytest.fixture
def build(database: Database) -> Iterator[Callable[..., Site]]:
    """Build applications on the test's database, with their tables; options as for `make_app`."""
    with ExitStack() as stack:

        def build_one(*, tables: bool = True, **options: Any) -> Site:
            site = make_app(database.url, **options)
            stack.callback(site.close)
            if tables:
                site.create_tables()
            return site

        yield build_one


@pytest.fixture
def site(build: Callable[..., Site]) -> Site:
    """An application with integer keys on a fresh database."""
    return build()


@pytest.fixture
def any_site(build: Callable[..., Site], variant: Variant) -> Site:
    """An application of each kind in turn: keys × bases × databases.

    The kinds are paired, or combined in every way with --matrix.
    """
    return build(key=variant.key, base=variant.base)


@pytest.fixture
def serve() -> Iterator[Callable[[Flask], LiveServer]]:
    """Serve applications on real ports for the time of the test."""
    with ExitStack() as stack:

        def serve_one(app: Flask) -> LiveServer:
            server = LiveServer(app)
            stack.callback(server.close)
            server.start()
            return server

        yield serve_one


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, driven by Playwright."""
    try:
        executable = _chromium()
        sync_playwright = _playwright()
    except Unavailable as reason:
        missing(reason)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        yield chromium
        chromium.close()


def _chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    raise Unavailable("Chromium", "apt-get install -y --no-install-recommends chromium")


def _playwright() -> Any:
    try:
        from playwright.sync_api import expect, sync_playwright
    except ImportError:
        raise Unavailable("Playwright", "pip install playwright") from None
    # A page waits for its server, and both for the machine. What a page with a doorbell asks for of itself comes
    # after 45 seconds, so that what is expected to come sooner has not come by that.
    expect.set_options(timeout=30_000)
    return sync_playwright
