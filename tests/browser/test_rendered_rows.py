"""Rows that a request shows on a page: heard as a table, and run from by the buttons in it (row F7)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask, render_template_string
from flask_login import current_user
from playwright.sync_api import expect

from flask_notify.actions.renderers import HtmlRenderer
from tests.actions.salon import Salon, fill, make_salon
from tests.apps import Site
from tests.browser.test_accessibility import violations_in_any_light
from tests.live import LiveServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.databases("sqlite")

PAGE = """<!doctype html>
<html lang="en">
<head><title>The salon</title>{{ notify_style() }}
<style>:root { color-scheme: light dark } body { background: Canvas }</style></head>
<body>
<main><h1>The salon</h1>
{% for text in get_flashed_messages() %}<p role="status">{{ text }}</p>{% endfor %}
{{ rows }}
</main>
{{ notify_actions_script() }}
</body>
</html>"""


@pytest.fixture
def salon(site: Site) -> Salon:
    """A salon whose threads are shown on a page, in every way, each with its button."""
    with site.app.app_context():
        salon = make_salon(site)
        fill(salon)

    def show() -> str:
        ar = site.notify.action_request(user=current_user, renderer=HtmlRenderer())
        columns = ["id", "title", "author", "seen_at", ("Do", lambda row: ar.action_button(salon.CloseThread, row))]
        rows = ar.show(salon.Thread, columns, header_level=2, show_links=True, limit=2)
        rows += ar.show(salon.Post, display_mode="list", limit=1) + ar.show([], no_data_text="Nothing here yet.")
        return render_template_string(PAGE, rows=rows + ar.show(salon.Post, display_mode="summary"))

    site.app.add_url_rule("/salon", "salon", show)
    return salon


def visit(salon: Salon, browser: Browser, url: str, **options: Any) -> Page:
    """Open the page as ann."""
    with salon.site.app.app_context():
        key = salon.user("ann").id
    context = browser.new_context(**options)
    assert context.request.post(f"{url}/login/{key}").status == 204
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.goto(f"{url}/salon")
    return page


def test_rows_are_heard_as_a_table(
    salon: Salon,
    browser: Browser,
    serve: Callable[[Flask], LiveServer],
    module_file: Callable[[str], Path],
) -> None:
    axe = module_file("axe-core/axe.min.js")

    page = visit(salon, browser, serve(salon.site.app).url)

    table = page.get_by_role("table", name="Threads")
    expect(table.get_by_role("columnheader")).to_have_text(["ID", "Title", "Begun by", "Seen at", "Do"])
    expect(table.get_by_role("row").nth(1).get_by_role("cell").nth(1)).to_have_text("Tea & <biscuits>")
    expect(table.get_by_role("heading", level=2)).to_have_text("Threads")
    assert violations_in_any_light(page, axe) == []
    page.context.close()


@pytest.mark.parametrize("javascript", [True, False])
def test_a_button_in_a_row_runs_its_action(
    salon: Salon, browser: Browser, serve: Callable[[Flask], LiveServer], javascript: bool
) -> None:
    page = visit(salon, browser, serve(salon.site.app).url, java_script_enabled=javascript)
    buttons = page.get_by_role("button", name="Close <thread>")
    expect(buttons).to_have_count(2)
    expect(buttons.nth(1)).to_be_disabled()

    buttons.first.focus()
    page.keyboard.press("Enter")

    expect(page.get_by_text("Tea & <biscuits> is closed.")).to_be_visible()
    page.context.close()
