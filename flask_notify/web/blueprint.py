"""The blueprint with all resources, and the helpers that templates are given."""

from __future__ import annotations

from flask import Blueprint

from . import (
    actions,
    all_messages,
    buttons,
    components,
    csrf,
    desktop,
    marking,
    messages,
    preferences,
    private_messages,
    push_subscriptions,
    stream_token,
    templating,
    unsubscribe,
    watches,
)
from .poll import poll

_RESOURCES = (
    actions,
    csrf,
    messages,
    marking,
    private_messages,
    all_messages,
    preferences,
    desktop,
    push_subscriptions,
    stream_token,
    unsubscribe,
    watches,
    desktop,
)

TEMPLATE_HELPERS = (
    buttons.action_button,
    buttons.notify_action,
    buttons.notify_actions_script,
    buttons.notify_select,
    buttons.obj2html,
    components.notify_inbox,
    components.notify_inbox_widget,
    desktop.notify_desktop_button,
    desktop.notify_desktop_script,
    desktop.notify_test_button,
    templating.notify_badge,
    templating.notify_progress,
    templating.notify_script,
    templating.notify_style,
    templating.notify_text,
    watches.notify_watch,
)


def make_blueprint() -> Blueprint:
    """Return the blueprint, with its resources, templates and static files."""
    blueprint = Blueprint(
        "notify",
        # The templates and the static files lie in the package itself.
        __name__.partition(".")[0],
        static_folder="static",
        static_url_path="/notify/static",
        template_folder="templates",
    )
    blueprint.add_url_rule("/notifications", endpoint="poll", view_func=poll)
    for resource in _RESOURCES:
        resource.add_routes(blueprint)
    return blueprint
