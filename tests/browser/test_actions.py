"""Actions in a browser: responses are carried out in one order, dialogs hold the focus, and nothing is sent twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from playwright.sync_api import expect

from .boards import BoardStage, button, dialog, question, set_board, thread, toast
from .conftest import Stage, wait_until
from .inboxes import lose_tokens
from .test_accessibility import violations

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.databases("sqlite")

LOOKS: tuple[tuple[int, Literal["light", "dark"]], ...] = ((320, "dark"), (1024, "light"), (320, "light"))
TOO_SMALL = """() => [...document.querySelectorAll("button, .notify-select, .notify-field, .notify-tick")]
  .filter(element => element.checkVisibility())
  .filter(element => element.getBoundingClientRect().height < 43.5).map(element => element.outerHTML)"""


@pytest.fixture
def stage(set_stage: Callable[..., Stage]) -> BoardStage:
    return set_board(set_stage, NOTIFY_ACTION_HOSTS=("docs.example.org",))


def answer_with(page: Page, answer: dict[str, Any], status: int = 200, name: str = "vote") -> None:
    """Let an action's answer be another one: what a server of ours would not send."""

    def fulfil(route: Route) -> None:
        route.fulfill(status=status, content_type="application/json", body=json.dumps(answer))

    page.route(f"**/actions/{name}", fulfil)


def ask_something_else(page: Page) -> None:
    """Wait until a page has an answer to what it asks for after all else that it is about to."""
    for _ in range(2):
        page.evaluate("fetch('/other').then(answer => answer.text())")


# One button


def test_a_button_runs_its_action_without_a_reload(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.open()
    page.evaluate("window.mine = true")

    button(page, "Lunch", "Vote").click()

    expect(toast(page, "Thank you.")).to_be_visible()
    expect(thread(page, "Lunch").get_by_text("1 votes")).to_be_visible()
    assert page.evaluate("window.mine")
    assert stage.board.state() == {"Lunch": (False, 1)}


def test_a_fragment_keeps_the_focus_and_works_again(stage: BoardStage) -> None:
    stage.add("Lunch", "Tea")
    page = stage.open()

    for count in (1, 2, 3):
        button(page, "Lunch", "Vote").press("Enter")
        expect(thread(page, "Lunch").get_by_text(f"{count} votes")).to_be_visible()
        expect(button(page, "Lunch", "Vote")).to_be_focused()

    assert stage.board.state() == {"Lunch": (False, 3), "Tea": (False, 0)}


def test_a_double_click_sends_once(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.open()

    button(page, "Lunch", "Vote").dblclick()

    expect(toast(page, "Thank you.")).to_be_visible()
    ask_something_else(page)
    assert stage.posts() == [("/actions/vote", 200)]


def test_a_form_that_waits_is_not_sent_again(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.open()
    waiting: list[Route] = []
    page.route("**/actions/vote", lambda route: waiting.append(route))  # noqa: PLW0108  # Playwright marks it

    button(page, "Lunch", "Vote").press("Enter")
    wait_until(page, "document.querySelector('button[aria-disabled=true]')")
    expect(button(page, "Lunch", "Vote")).to_be_focused()
    button(page, "Lunch", "Vote").press("Enter")
    button(page, "Lunch", "Vote").press("Enter")
    while not waiting:
        page.wait_for_timeout(20)
    (route,) = waiting
    route.continue_()

    expect(toast(page, "Thank you.")).to_have_count(1)
    expect(page.locator("[aria-disabled]")).to_have_count(0)
    assert stage.posts() == [("/actions/vote", 200)]


def test_a_token_that_has_expired_is_fetched_anew_once(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.open()
    lose_tokens(page)
    stage.visitor.expect_complaint("400")

    button(page, "Lunch", "Vote").click()
    expect(toast(page, "Thank you.")).to_be_visible()
    button(page, "Lunch", "Vote").click()

    expect(thread(page, "Lunch").get_by_text("2 votes")).to_be_visible()
    assert [status for _, status in stage.posts()] == [400, 200, 200]


# Selected rows


def test_selected_rows_are_closed_and_the_part_of_the_page_follows(stage: BoardStage) -> None:
    stage.add("Lunch", "Tea", "Dinner")
    page = stage.open("/board?parts=1")
    page.get_by_label("Notes").fill("half-typed")
    page.evaluate("window.mine = true")

    page.get_by_role("checkbox", name="Select Lunch").focus()
    page.keyboard.press("Space")
    page.get_by_role("checkbox", name="Select Dinner").check()
    page.get_by_role("button", name="Close the selected").press("Enter")

    expect(toast(page, "2 closed.")).to_be_visible()
    expect(thread(page, "Lunch")).to_contain_text("(closed)")
    expect(page.get_by_role("button", name="Close the selected")).to_be_focused()
    expect(page.get_by_label("Notes")).to_have_value("half-typed")
    assert page.evaluate("window.mine")
    assert stage.board.closed() == {"Lunch", "Dinner"}


def test_a_page_without_such_parts_is_loaded_anew_and_still_tells(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.open()
    page.get_by_role("checkbox", name="Select Lunch").check()

    page.get_by_role("button", name="Close the selected").click()

    expect(thread(page, "Lunch")).to_contain_text("(closed)")
    expect(toast(page, "1 closed.")).to_be_visible()
    page.reload()
    expect(thread(page, "Lunch")).to_be_visible()
    expect(page.locator(".notify-toast")).to_have_count(0)


def test_nothing_selected_is_said(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.open()
    stage.visitor.expect_complaint("422")

    page.get_by_role("button", name="Close the selected").click()

    expect(page.get_by_role("alert").filter(has_text="Select at least one.")).to_be_visible()


# Dialogs


def test_a_dialog_is_worked_by_keyboard_alone(stage: BoardStage) -> None:
    stage.add("Lunch")
    david = stage.stage.site.add_user("david")
    page = stage.open("/board?parts=1")
    opener = button(page, "Lunch", "Close thread")

    opener.focus()
    page.keyboard.press("Enter")
    expect(dialog(page, "Close thread")).to_be_visible()
    subject = page.get_by_label("Subject")
    expect(subject).to_be_focused()
    expect(subject).to_have_value("Close thread: Lunch")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Lunch is over")
    page.keyboard.press("Tab")
    page.keyboard.type("See you.")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Don’t notify others")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    asked = question(page, "Close thread")
    expect(asked).to_have_accessible_description("Close “Lunch”?\nNobody can write then.".replace("\n", " "))
    expect(asked.get_by_role("button", name="No")).to_be_focused()
    assert stage.board.closed() == set()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")

    expect(toast(page, "“Lunch” is closed.")).to_be_visible()
    expect(page.locator("dialog")).to_have_count(0)
    expect(thread(page, "Lunch")).to_contain_text("(closed)")
    assert stage.board.closed() == {"Lunch"}
    # Its own button is disabled by now: the focus has gone to what took its place.
    wait_until(page, "document.querySelector('#threads').contains(document.activeElement)")
    with stage.stage.site.app.app_context():
        assert stage.stage.site.user(david).unread_message_count == 1


@pytest.mark.parametrize("how", ["Escape", "Cancel"])
def test_a_dialog_is_closed_and_the_focus_returns(stage: BoardStage, how: str) -> None:
    stage.add("Lunch")
    page = stage.open()
    opener = button(page, "Lunch", "Close thread")
    opener.press("Enter")
    expect(page.get_by_label("Subject")).to_be_focused()

    if how == "Escape":
        page.keyboard.press("Escape")
    else:
        page.get_by_role("button", name="Cancel").press("Enter")

    expect(page.locator("dialog")).to_have_count(0)
    expect(opener).to_be_focused()
    assert stage.posts() == []


def test_errors_stand_beside_their_fields_and_the_first_has_the_focus(stage: BoardStage) -> None:
    page = stage.open()
    stage.visitor.expect_complaint("422")
    page.get_by_role("button", name="Announce").click()
    page.get_by_label("Text").fill("SHOUT")
    page.get_by_label("More").fill("kept")
    page.get_by_label("Your password").fill("x")
    page.get_by_label("Loud").check()

    dialog(page, "Announce").get_by_role("button", name="Announce").click()

    text = page.get_by_label("Text")
    expect(text).to_be_focused()
    expect(text).to_have_attribute("aria-invalid", "true")
    expect(text).to_have_accessible_description("In a line. Do not shout, <b>please</b>.")
    expect(text).to_have_value("SHOUT")
    expect(page.get_by_label("More")).to_have_value("kept")
    expect(page.get_by_label("Loud")).to_be_checked()
    text.fill("Hello")
    page.get_by_label("Your password").fill("x")
    page.get_by_label("Calm").check()
    dialog(page, "Announce").get_by_role("button", name="Announce").click()
    for said in ("Announced.", "It is on top now.", "Some are asleep."):
        expect(toast(page, said)).to_be_visible()
    expect(page.locator("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Announce")).to_be_focused()


def test_what_the_action_finds_wrong_comes_into_the_dialog(stage: BoardStage) -> None:
    page = stage.open()
    stage.visitor.expect_complaint("422")
    page.get_by_role("button", name="Announce").click()
    page.get_by_label("Text").fill("twice")
    page.get_by_label("Your password").fill("x")

    dialog(page, "Announce").get_by_role("button", name="Announce").click()

    expect(page.get_by_label("Text")).to_have_accessible_description("In a line. Say something new.")
    expect(dialog(page, "Announce").get_by_role("alert").first).to_have_text("It was announced already.")
    expect(page.locator(".notify-toast")).to_have_count(0)


# Questions


def test_a_question_is_answered_with_yes(stage: BoardStage) -> None:
    stage.add("<b>Lunch</b>", "Tea")
    page = stage.open()
    button(page, "Lunch", "Delete").click()

    expect(question(page, "Delete").get_by_text("Delete “<b>Lunch</b>” for good?")).to_be_visible()
    question(page, "Delete").get_by_role("button", name="Yes").click()
    expect(question(page, "Delete").get_by_text("It is still open.")).to_be_visible()
    question(page, "Delete").get_by_role("button", name="Yes").click()

    expect(toast(page, "Deleted.")).to_be_visible()
    expect(thread(page, "Lunch")).to_have_count(0)
    expect(thread(page, "Tea")).to_be_visible()
    assert set(stage.board.state()) == {"Tea"}


def test_when_a_record_is_gone_the_focus_is_at_the_next(stage: BoardStage) -> None:
    stage.add("Lunch", "Tea", closed=True)
    page = stage.open()

    button(page, "Lunch", "Delete").press("Enter")
    question(page, "Delete").get_by_role("button", name="Yes").press("Enter")

    expect(thread(page, "Lunch")).to_have_count(0)
    expect(page.get_by_role("checkbox", name="Select Tea")).to_be_focused()


def test_no_changes_nothing_and_the_focus_returns(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.open()
    opener = button(page, "Lunch", "Delete")
    opener.press("Enter")

    expect(question(page, "Delete").get_by_role("button", name="No")).to_be_focused()
    page.keyboard.press("Enter")

    expect(toast(page, "Nothing was changed.")).to_be_visible()
    expect(page.locator(".notify-toast-error")).to_have_count(0)
    expect(opener).to_be_focused()
    assert set(stage.board.state()) == {"Lunch"}


def test_escape_is_no_answer(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.open()
    opener = button(page, "Lunch", "Delete")
    opener.press("Enter")
    expect(question(page, "Delete")).to_be_visible()

    page.keyboard.press("Escape")

    expect(page.locator("dialog")).to_have_count(0)
    expect(opener).to_be_focused()
    assert stage.posts() == [("/actions/delete_thread", 200)]
    assert set(stage.board.state()) == {"Lunch"}


def test_no_leaves_the_dialog_open_with_what_was_typed(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.open()
    button(page, "Lunch", "Close thread").click()
    page.get_by_label("Subject").fill("Lunch is over")
    dialog(page, "Close thread").get_by_role("button", name="Close thread").click()

    question(page, "Close thread").get_by_role("button", name="No").click()

    # In the dialog, for the page around it is out of reach.
    expect(dialog(page, "Close thread").locator(".notify-toast")).to_contain_text("Nothing was changed.")
    expect(page.get_by_label("Subject")).to_have_value("Lunch is over")
    page.keyboard.press("Escape")
    expect(page.locator("body > .notify-toasts .notify-toast")).to_be_visible()
    assert stage.board.closed() == set()


# What goes wrong


def test_an_exception_is_told_by_a_reference(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.open()
    stage.visitor.expect_complaint("500")

    button(page, "Lunch", "Report").click()

    expect(page.get_by_role("alert")).to_contain_text("Something went wrong. Nothing was changed. Reference ")


def test_a_server_that_cannot_be_reached_is_told_with_what_to_do(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.open()
    stage.visitor.expect_complaint("ERR_")
    page.route("**/actions/vote", lambda route: route.abort("internetdisconnected"))

    button(page, "Lunch", "Vote").click()
    expect(page.get_by_role("alert")).to_contain_text("Check your connection, and try again.")
    page.unroute("**/actions/vote")
    button(page, "Lunch", "Vote").click()

    expect(toast(page, "Thank you.")).to_be_visible()


def test_a_server_that_takes_too_long_is_told(stage: BoardStage) -> None:
    stage.add("Lunch")
    stage.visitor.context.add_init_script(
        "const wait = AbortSignal.timeout; AbortSignal.timeout = () => wait.call(AbortSignal, 200);"
    )
    page = stage.open()
    page.route("**/actions/vote", lambda _: None)

    button(page, "Lunch", "Vote").click()

    expect(page.get_by_role("alert")).to_contain_text("Reload the page to see what has happened.")


def test_an_answer_that_is_none_is_told(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.open()
    stage.visitor.expect_complaint("502")
    page.route("**/actions/vote", lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"))

    button(page, "Lunch", "Vote").click()

    expect(page.get_by_role("alert")).to_contain_text("This did not work.")


def test_who_was_logged_out_comes_to_the_login(stage: BoardStage) -> None:
    site = stage.stage.site
    stage.add("Lunch")
    site.app.login_manager.login_view = "log_in"  # type: ignore[attr-defined]
    page = stage.open()
    stage.visitor.log_out()
    stage.visitor.expect_complaint("401")

    button(page, "Lunch", "Vote").click()

    expect(page).to_have_title("Log in")
    assert "actions%2Fvote%3Frow%3D1" in page.url
    assert stage.board.state() == {"Lunch": (False, 0)}


def test_a_button_of_another_account_says_so(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.open()
    stage.visitor.log_in(stage.stage.site.add_user("david"))
    stage.visitor.expect_complaint("409")

    button(page, "Lunch", "Vote").click()

    expect(page.get_by_role("alert")).to_contain_text("made for another account")
    assert stage.board.state() == {"Lunch": (False, 0)}


# How answers are carried out


def test_one_goes_where_the_action_says_and_is_told_there(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.open("/board?parts=1")
    answer_with(page, {"success": True, "message": "Moved.", "goto_url": "/board", "refresh": True})

    button(page, "Lunch", "Vote").click()

    expect(toast(page, "Moved.")).to_be_visible()
    assert page.url.endswith("/board")


def test_nothing_leads_to_another_origin(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.open()
    opened: list[Any] = []
    stage.visitor.context.on("page", lambda each: opened.append(each))  # noqa: PLW0108  # Playwright marks it

    for url in ("https://evil.example/", "//evil.example/", "javascript:window.evil = 1", "data:text/html,x"):
        told = f"Stayed, in spite of {url}"
        answer_with(page, {"success": True, "info_message": told, "goto_url": url, "open_url": url})
        button(page, "Lunch", "Vote").click()
        expect(toast(page, told)).to_be_visible()

    ask_something_else(page)
    page.wait_for_timeout(200)
    assert page.url.endswith("/board")
    assert page.evaluate("window.evil") is None
    assert opened == []


def test_an_allowed_host_is_opened_beside_the_page_which_it_cannot_reach(stage: BoardStage) -> None:
    page = stage.open()
    page.context.route(
        "https://docs.example.org/**",
        lambda route: route.fulfill(content_type="text/html", body="<title>Docs</title>"),
    )
    page.get_by_role("button", name="Probe").click()
    page.get_by_label("Say").fill("https://docs.example.org/help")
    page.get_by_label("Kind").fill("open_url")

    with page.context.expect_page() as opened:
        dialog(page, "Probe").get_by_role("button", name="Probe").click()

    expect(opened.value).to_have_title("Docs")
    assert opened.value.evaluate("window.opener") is None
    expect(toast(page, "Probed.")).to_be_visible()


ORDER = """() => {
  window.order = [];
  const fetched = window.fetch;
  window.fetch = (url, ...rest) => {
    if (String(url).includes("/board")) order.push("refresh");
    return fetched(url, ...rest);
  };
  HTMLDialogElement.prototype.close = () => order.push("close_window");
  new MutationObserver((records) => {
    for (const { addedNodes, removedNodes } of records) {
      for (const node of addedNodes) {
        if (node.matches?.("#fragment")) order.push("html");
        if (node.matches?.(".notify-toast")) order.push(node.firstChild.textContent);
      }
      for (const node of removedNodes) {
        if (node.matches?.("[data-notify-record]")) order.push("record_deleted");
      }
    }
  }).observe(document.body, { childList: true, subtree: true });
}"""


@pytest.mark.parametrize("turned", [False, True], ids=["as it is", "turned round"])
def test_an_answer_is_carried_out_in_one_order_whatever_that_of_its_keys(stage: BoardStage, turned: bool) -> None:
    row, _ = stage.add("Lunch", "Tea")
    page = stage.open("/board?parts=1")
    button(page, "Lunch", "Close thread").click()
    expect(dialog(page, "Close thread")).to_be_visible()
    page.evaluate("document.querySelector('h1').id = 'fragment'")
    page.evaluate(ORDER)
    answer = {
        "success": False,
        "message": "message",
        "info_message": "info",
        "warning_message": "warning",
        "debug_message": "debug",
        "record_deleted": True,
        "record_id": row,
        "close_window": True,
        "refresh": True,
        "html": {"fragment": '<h1 id="fragment">Board</h1>'},
    }
    answer_with(page, dict(reversed(answer.items())) if turned else answer, name="close_thread")

    dialog(page, "Close thread").get_by_role("button", name="Close thread").click()

    wait_until(page, "order.includes('refresh')")
    assert page.evaluate("order") == ["html", "record_deleted", "message", "info", "warning", "close_window", "refresh"]


def test_the_whole_page_is_loaded_anew(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.open("/board?parts=1")
    page.evaluate("window.mine = true")
    answer_with(page, {"success": True, "message": "All of it.", "refresh_all": True})

    button(page, "Lunch", "Vote").click()

    expect(toast(page, "All of it.")).to_be_visible()
    assert page.evaluate("window.mine") is None


def test_an_alert_is_to_be_closed_before_one_goes_on(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.open("/board?parts=1")
    answer_with(
        page, {"success": True, "message": "Read this <b>first</b>.", "alert": "Attention", "goto_url": "/board"}
    )

    button(page, "Lunch", "Vote").press("Enter")
    expect(question(page, "Attention").get_by_text("Read this <b>first</b>.")).to_be_visible()
    assert page.url.endswith("?parts=1")
    expect(page.get_by_role("button", name="OK")).to_be_focused()
    page.keyboard.press("Enter")

    page.wait_for_url("**/board")


def test_scripts_in_a_fragment_do_not_run(stage: BoardStage) -> None:
    (row,) = stage.add("Lunch")
    page = stage.open()
    stage.visitor.expect_complaint("Content Security Policy|inline")
    inner = '<script>window.evil = 1</script><img src="/favicon.ico" onerror="window.evil = 2">In'
    html = f'<div id="votes-{row}">{inner}</div>'
    answer_with(page, {"html": {f"votes-{row}": html, "nowhere": "<b>lost</b>"}, "unknown_key": 1})

    button(page, "Lunch", "Vote").click()

    expect(page.locator(f"#votes-{row}")).to_have_text("In")
    page.wait_for_timeout(200)
    assert page.evaluate("window.evil") is None


def test_an_application_may_carry_an_answer_out_itself(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.open()
    page.evaluate("""() => document.addEventListener("notify:action", (event) => {
      event.preventDefault();
      window.heard = [event.detail.message, event.target.getAttribute("action")];
    })""")

    button(page, "Lunch", "Vote").click()

    wait_until(page, "window.heard")
    assert page.evaluate("window.heard") == ["Thank you.", "/actions/vote"]
    expect(page.locator(".notify-toast")).to_have_count(0)


def test_the_live_values_of_the_page_follow_at_once(set_stage: Callable[..., Stage]) -> None:
    stage = set_board(set_stage, NOTIFY_POLL_INTERVAL=300)
    stage.add("Lunch")
    page = stage.open()
    stage.stage.front.wait_for(1)
    stage.stage.front.forget()

    button(page, "Lunch", "Vote").click()

    stage.stage.front.wait_for(1)


# Toasts


def test_a_toast_is_announced_and_dismissed_by_keyboard(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.open()
    expect(page.locator(".notify-toasts[role=status]")).to_have_count(1)  # it is there before it speaks
    button(page, "Lunch", "Vote").press("Enter")
    expect(toast(page, "Thank you.")).to_be_visible()

    toast(page, "Thank you.").get_by_role("button", name="Dismiss").focus()
    page.keyboard.press("Enter")

    expect(page.locator(".notify-toast")).to_have_count(0)
    expect(button(page, "Lunch", "Vote")).to_be_focused()


def test_a_toast_vanishes_but_not_while_somebody_reads_it(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.visitor.context.new_page()
    page.clock.install()
    page.goto(f"{stage.visitor.url}/board")
    button(page, "Lunch", "Vote").press("Enter")
    close = toast(page, "Thank you.").get_by_role("button", name="Dismiss")

    close.focus()
    page.clock.fast_forward(60_000)
    expect(toast(page, "Thank you.")).to_be_visible()
    button(page, "Lunch", "Vote").focus()
    page.clock.fast_forward(2_000)

    expect(page.locator(".notify-toast")).to_have_count(0)


def test_an_error_stays_until_it_is_dismissed(stage: BoardStage) -> None:
    stage.add("Lunch")
    stage.visitor.expect_complaint("500")
    page = stage.visitor.context.new_page()
    page.clock.install()
    page.goto(f"{stage.visitor.url}/board")
    button(page, "Lunch", "Report").press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()

    page.clock.fast_forward(600_000)

    expect(page.get_by_role("alert")).to_be_visible()


# For everybody


def test_nothing_moves_for_a_toast(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.open()
    places = [page.get_by_label("Notes").bounding_box(), page.get_by_role("button", name="Announce").bounding_box()]

    button(page, "Lunch", "Vote").click()
    expect(toast(page, "Thank you.")).to_be_visible()

    now = [page.get_by_label("Notes").bounding_box(), page.get_by_role("button", name="Announce").bounding_box()]
    assert now == places


def test_axe_finds_nothing_and_all_can_be_touched(
    set_stage: Callable[..., Stage], module_file: Callable[[str], Path]
) -> None:
    axe = module_file("axe-core/axe.min.js")
    stage = set_board(set_stage, options={"reduced_motion": "reduce"})
    stage.add("Lunch", "unbroken" * 9)
    stage.board.add_thread(stage.stage.site.add_user("david"), "his")
    stage.visitor.expect_complaint("422|500")
    page = stage.open()

    def check() -> None:
        for width, scheme in LOOKS:
            page.set_viewport_size({"width": width, "height": 700})
            page.emulate_media(color_scheme=scheme)
            assert violations(page, axe) == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert page.evaluate(TOO_SMALL) == []

    check()
    button(page, "Lunch", "Report").click()
    page.get_by_role("button", name="Announce").click()
    expect(page.get_by_label("Text")).to_be_focused()
    check()
    page.get_by_label("Text").fill("SHOUT")
    page.get_by_label("Your password").fill("x")
    dialog(page, "Announce").get_by_role("button", name="Announce").click()
    expect(page.locator("[aria-invalid]")).to_have_count(1)
    check()
    page.keyboard.press("Escape")
    button(page, "Lunch", "Vote").click()
    expect(toast(page, "Thank you.")).to_be_visible()
    button(page, "Lunch", "Delete").click()
    expect(question(page, "Delete")).to_be_visible()
    check()
    page.keyboard.press("Escape")
    check()
    for path in ("/actions/announce", "/actions/delete_thread?row=1"):
        page.goto(stage.visitor.url + path)
        check()
