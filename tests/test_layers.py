"""The imports within the package are acyclic and point down its layers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "flask_notify"

# From the bottom to the top: a module imports only what stands above it in this list.
LAYERS = [
    "errors",
    "object_names",
    "visibility",
    "signals",
    "setting_values",
    "reaching_settings",
    "setting_table",
    "config",
    "rules",
    "local_time",
    "models.columns",
    "models.live",
    "models.reading",
    "models.moving",
    "models.pushing",
    "models",
    "statements",
    "database_clock",
    "leases",
    "site",
    "news",
    "inbox",
    "brokers.base",
    "brokers.memory",
    "brokers.rabbitmq",
    "brokers.redis",
    "brokers.postgresql",
    "brokers",
    "detour",
    "emission",
    "logs",
    "logs.uncommitted",
    "logs.patience",
    "logs.shelter",
    "live",
    "live.notifications",
    "messages",
    "messages.richtext",
    "language",
    "messages.message_types",
    "logs.log_messages",
    "logs.log_registry",
    "messages.popups",
    "messages.outgoing",
    "messages.watch_rows",
    "messages.preferences",
    "messages.watches",
    "messages.message_rows",
    "messages.writing",
    "messages.seen",
    "messages.mailbox",
    "durability",
    "messages.claims",
    "messages.fanout",
    "messages.browser_messages",
    "messages.sending",
    "messages.targets",
    "messages.listing",
    "relaying",
    "relaying.envelopes",
    "relaying.waiting",
    "relaying.relayer",
    "running",
    "running.old_rows",
    "running.expiry",
    "messages.recounting",
    "live.polling",
    "hints",
    "hints.wire",
    "hints.known",
    "hints.outage",
    "hints.publisher",
    "hints.listener",
    "hints.process",
    "hints.connecting",
    "mailing",
    "mailing.mail",
    "mailing.smtp",
    "mailing.transport",
    "mailing.unsubscribing",
    "mailing.letter",
    "mailing.outbox",
    "mailing.stamps",
    "mailing.delivery",
    "mailing.digest",
    "pushing",
    "pushing.hosts",
    "pushing.keys",
    "pushing.preferences",
    "pushing.subscriptions",
    "pushing.outbox",
    "pushing.payload",
    "pushing.service",
    "pushing.lanes",
    "pushing.parcels",
    "pushing.sender",
    "running.reasons",
    "running.finding",
    "running.broker_doctor",
    "running.stream_doctor",
    "running.doctor",
    "running.jobs",
    "running.scheduler",
    "recipient",
    "logs.log_handler",
    "actions",
    "actions.responses",
    "actions.clock",
    "actions.values",
    "actions.sight",
    "actions.columns",
    "actions.tables",
    "actions.records",
    "actions.renderers.buttons",
    "actions.renderers.base",
    "actions.renderers.drawing",
    "actions.renderers.text",
    "actions.renderers.html",
    "actions.renderers.json",
    "actions.renderers",
    "actions.request",
    "actions.parameters",
    "actions.action",
    "actions.notifying",
    "actions.rows",
    "actions.transactions",
    "actions.running",
    "actions.declaring",
    "watching",
    "watching.fields",
    "watching.changes",
    "watching.labels",
    "watching.summary",
    "watching.sight",
    "watching.telling",
    "watching.noticing",
    "watching.mixin",
    "stream",
    "stream.tokens",
    "stream.page",
    "stream.hub",
    "stream.application",
    "stream.server",
    "alongside",
    "web",
    "web.ticket",
    "web.session",
    "web.fast_poll",
    "web.poll",
    "web.stream_token",
    "web.templating",
    "web.access",
    "web.csrf",
    "web.parts",
    "web.times",
    "web.forms",
    "web.visits",
    "web.hooks",
    "web.rows",
    "web.messages",
    "web.marking",
    "web.private_messages",
    "web.all_messages",
    "web.components",
    "web.dialogs",
    "web.buttons",
    "web.answers",
    "web.actions",
    "web.desktop",
    "web.preferences_form",
    "web.preferences",
    "web.push_subscriptions",
    "web.watches",
    "web.unsubscribe",
    "web.blueprint",
    "cli.base",
    "cli.cursors",
    "cli.emitting",
    "cli.pushing",
    "cli.reading",
    "cli.checking",
    "cli.running",
    "cli.streaming",
    "cli",
    "extension",
    "",
]

KNOW_THE_REQUEST = {
    "site",
    "recipient",
    "actions.running",
    "web.session",
    "web.poll",
    "web.templating",
    "web.access",
    "web.csrf",
    "web.parts",
    "web.visits",
    "web.messages",
    "web.marking",
    "web.all_messages",
    "web.buttons",
    "web.answers",
    "web.actions",
    "web.watches",
    "web.push_subscriptions",
    "web.unsubscribe",
    "web.desktop",
}
OF_THE_REQUEST = {"request", "session", "current_user", "login_user", "has_request_context"}

# No module of ours: the version, and what only stands there when the package is installed.
NO_LAYER = {"__version__", "migrations"}


def modules() -> dict[str, Path]:
    """Return the package's own modules by their names within it; the package is ""."""
    return {_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def _name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(name: str) -> Iterator[tuple[str, str]]:
    """Yield (module, name) for everything that a module imports from the package."""
    path = modules()[name]
    package = name.split(".") if name else []
    if path.stem != "__init__":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield from _imported(node, package)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "flask_notify":
                    yield alias.name.partition(".")[2], ""


def _imported(node: ast.ImportFrom, package: list[str]) -> Iterator[tuple[str, str]]:
    if node.level:
        base = package[: len(package) - node.level + 1] + (node.module or "").split(".")
    elif node.module and node.module.split(".")[0] == "flask_notify":
        base = node.module.split(".")[1:]
    else:
        return
    prefix = ".".join(filter(None, base))
    for alias in node.names:
        submodule = f"{prefix}.{alias.name}".lstrip(".")
        yield (submodule, "") if submodule in modules() else (prefix, alias.name)


def test_every_module_has_its_layer() -> None:
    assert sorted(modules()) == sorted(LAYERS)


@pytest.mark.parametrize("name", LAYERS)
def test_a_module_imports_only_from_lower_layers(name: str) -> None:
    lower = LAYERS[: LAYERS.index(name)]
    needed = {module for module, imported in imports(name) if imported not in NO_LAYER}

    assert needed <= set(lower)


def test_no_two_folders_need_one_another() -> None:
    needed: dict[str, set[str]] = {}
    for name in LAYERS:
        folder = name.partition(".")[0]
        needed.setdefault(folder, set()).update(
            module.partition(".")[0] for module, imported in imports(name) if imported not in NO_LAYER
        )
    # Those that need nobody who is left are taken away, until nobody is left, or a circle is.
    while lowest := [folder for folder, others in needed.items() if not others & set(needed) - {folder}]:
        for folder in lowest:
            del needed[folder]

    assert sorted(needed) == []


@pytest.mark.parametrize("name", sorted(set(LAYERS) - KNOW_THE_REQUEST))
def test_a_module_below_the_web_knows_neither_request_nor_current_user(name: str) -> None:
    tree = ast.parse(modules()[name].read_text())
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("flask")
        for alias in node.names
    }

    assert not imported & OF_THE_REQUEST


@pytest.mark.parametrize("name", LAYERS)
def test_a_module_reads_in_one_sitting(name: str) -> None:
    source = modules()[name].read_text()
    functions = [
        node for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]

    assert len(source.splitlines()) <= 350
    assert [f.name for f in functions if (f.end_lineno or 0) - f.lineno >= 50] == []
