"""`/actions/<name>`: run by POST with a token, asked for by GET, answered as JSON or by redirect and flash."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from flask import abort, got_request_exception
from flask_wtf.csrf import CSRFProtect

from flask_notify import Action, ActionRequest
from tests.apps import Site
from tests.recording import recorded
from tests.servers import Database

from .board import Board, make_board
from .letterbox import JSON, hidden, post, post_json, token, unseen

if TYPE_CHECKING:
    from flask.testing import FlaskClient

pytestmark = pytest.mark.databases("sqlite")
every_database = pytest.mark.databases("sqlite", "postgresql", "mariadb")

ANNOUNCEMENT = {"text": "Hello", "tone": "calm", "place": "top", "password": "x", "origin": "board"}
CLOSING = {"subject": "Closed", "body": "", "next": "/board"}


def flashed(client: FlaskClient) -> list[tuple[str, str]]:
    """Return what a page was to tell."""
    with client.session_transaction() as session:
        found: list[tuple[str, str]] = session.pop("_flashes", [])
    return found


def fields(html: str) -> dict[str, list[str]]:
    """Return the hidden fields of a page by their names, but those of the token."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', html):
        if name not in ("csrf_token", "notify_user"):
            found.setdefault(name, []).append(value)
    return found


# It runs


@every_database
def test_an_action_runs_and_its_response_is_json(board: Board, client: FlaskClient, lunch: int) -> None:
    answer = post_json(client, "/actions/vote", {"row": lunch})

    assert answer.status_code == 200
    assert (answer.json["success"], answer.json["message"]) == (True, "Thank you.")
    assert answer.json["html"][f"votes-{lunch}"].startswith(f'<div id="votes-{lunch}"><form')
    assert board.state() == {"Lunch": (False, 1)}
    assert answer.headers["Cache-Control"] == "no-store"


@every_database
def test_without_a_script_one_is_led_back_and_told(board: Board, client: FlaskClient, lunch: int) -> None:
    led = post(client, "/actions/vote", {"row": lunch, "next": "/board?parts=1"})

    assert (led.status_code, led.location) == (303, "/board?parts=1")
    assert flashed(client) == [("success", "Thank you.")]
    assert board.state() == {"Lunch": (False, 1)}


def test_where_one_is_led(client: FlaskClient) -> None:
    def lead(data: dict[str, str], **headers: str) -> str:
        return str(post(client, "/actions/probe", {"say": "", "kind": "", **data}, **headers).location)

    assert lead({"kind": "goto_url", "say": "/threads/7", "next": "/board"}) == "/threads/7"
    assert lead({"kind": "open_url", "say": "/threads/8", "next": "/board"}) == "/threads/8"
    assert lead({}, Referer="http://localhost/threads/9?page=2") == "/threads/9?page=2"
    assert lead({}, Referer="http://localhost/actions/probe") == "/messages"
    assert lead({}, Referer="https://evil.example/threads/9") == "/messages"
    for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"):
        assert lead({"next": elsewhere}) == "/messages", elsewhere


def test_nobody_is_led_to_another_site_by_an_action(client: FlaskClient) -> None:
    for kind in ("goto_url", "open_url"):
        answer = post_json(client, "/actions/probe", {"kind": kind, "say": "https://evil.example/"})
        assert answer.status_code == 500, kind  # refused where the action says it


def test_an_allowed_host_may_be_opened(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_ACTION_HOSTS=("docs.example.org",))
    make_board(site)
    client = site.client(site.add_user("ann"))
    asked = {"kind": "open_url", "say": "https://docs.example.org/help"}

    assert post_json(client, "/actions/probe", asked).json["open_url"] == "https://docs.example.org/help"
    assert post(client, "/actions/probe", asked).location == "https://docs.example.org/help"
    assert 'data-hosts="docs.example.org localhost"' in client.get("/board").text


def test_all_that_is_said_is_flashed_by_its_category(client: FlaskClient) -> None:
    post(client, "/actions/announce", {**ANNOUNCEMENT, "next": "/board"})

    said = [("success", "Announced."), ("info", "It is on top now."), ("warning", "Some are asleep.")]
    assert flashed(client) == said


def test_a_file_and_further_fields_reach_the_action(board: Board, client: FlaskClient) -> None:
    file = (io.BytesIO(b"content"), "notes.txt")

    answer = client.post(
        "/actions/probe", data={"csrf_token": token(client), "upload": file, "say": "", "kind": ""}, headers=JSON
    )

    assert answer.status_code == 200
    assert board.ran == [b"content"]


# Rows


@every_database
def test_a_batch_is_all_or_nothing(board: Board, client: FlaskClient, ann: Any, lunch: int) -> None:
    tea = board.add_thread(ann, "Tea")
    broken, stuck = board.add_thread(ann, "broken"), board.add_thread(ann, "stuck")

    assert post_json(client, "/actions/close_several", {"row": [lunch, broken]}).status_code == 500
    said = post_json(client, "/actions/close_several", {"row": [lunch, stuck]})
    assert (said.status_code, said.json["success"], said.json["message"]) == (200, False, "One is <stuck>.")
    assert board.closed() == set()

    done = post_json(client, "/actions/close_several", {"row": [lunch, tea, lunch]})

    assert done.json["message"] == "2 closed."
    assert board.closed() == {"Lunch", "Tea"}


@every_database
def test_a_row_that_one_may_not_see_is_not_found_for_all(
    board: Board, site: Site, client: FlaskClient, lunch: int
) -> None:
    secret = board.add_thread(site.add_user("david"), "Secret", hidden=True)
    refused = [
        post_json(client, "/actions/close_several", {"row": [lunch, row]})
        for row in (secret, 777, "x", "", str(2**70), "1\x00")
    ]
    refused.append(client.get(f"/actions/close_thread?row={secret}", headers=JSON))
    refused.append(client.get("/actions/close_thread?row=777", headers=JSON))

    assert [answer.status_code for answer in refused] == [404] * 8
    assert all(answer.json == refused[0].json for answer in refused)  # as if there were none
    assert "Secret" not in refused[0].text
    assert board.closed() == set()


@every_database
def test_permission_is_asked_for_every_row_before_any_runs(
    board: Board, site: Site, client: FlaskClient, lunch: int
) -> None:
    his = board.add_thread(site.add_user("david"), "his")

    answer = post_json(client, "/actions/close_several", {"row": [lunch, his]})

    assert (answer.status_code, answer.json["success"]) == (403, False)
    assert client.get(f"/actions/close_thread?row={his}", headers=JSON).status_code == 403
    assert post(client, "/actions/close_several", {"row": [lunch, his]}).status_code == 403
    assert board.closed() == set()


def test_nothing_selected_is_said(client: FlaskClient) -> None:
    answer = post_json(client, "/actions/close_several")
    led = post(client, "/actions/close_several", {"next": "/board"})

    assert (answer.status_code, answer.json) == (422, {"success": False, "message": "Select at least one."})
    assert (led.status_code, led.location) == (303, "/board")
    assert flashed(client) == [("error", "Select at least one.")]


# Parameters


def test_what_an_action_does_not_take_is_refused_with_a_list(client: FlaskClient, lunch: int) -> None:
    refused = post_json(client, "/actions/announce", {**ANNOUNCEMENT, "colour": "red"})
    of_get = client.get("/actions/announce?text=Hello", headers=JSON)

    assert refused.status_code == of_get.status_code == 400
    assert "text, tone" in refused.json["message"] or "tone" in refused.json["message"]
    assert "colour" in refused.json["message"]
    assert post_json(client, "/actions/vote", {"row": lunch, "votes": 7}).status_code == 400
    assert post_json(client, "/actions/delete_thread", {"row": lunch, "answer-delete-1": "maybe"}).status_code == 400


def test_a_form_with_errors_comes_back_with_them_beside_the_fields(board: Board, client: FlaskClient) -> None:
    answer = post_json(client, "/actions/announce", {**ANNOUNCEMENT, "text": "SHOUT", "password": ""})

    assert answer.status_code == 422
    assert answer.json["success"] is False
    assert answer.json["errors"] == {
        "text": ["Do not shout, <b>please</b>."],
        "password": ["Say your password."],
    }
    html = answer.json["html"]["notify-dialog-body"]
    assert "data-notify-action" in html
    assert "Do not shout, &lt;b&gt;please&lt;/b&gt;." in html
    assert 'aria-describedby="notify-field-text-hint notify-field-text-error" aria-invalid="true"' in html
    assert 'value="SHOUT"' in html
    assert board.ran == []


def test_without_a_script_the_page_comes_back_with_the_errors(client: FlaskClient) -> None:
    page = post(client, "/actions/announce", {**ANNOUNCEMENT, "text": "", "next": "/board"})

    assert page.status_code == 422
    assert "Say something." in page.text
    assert 'href="/board"' in page.text
    assert fields(page.text)["next"] == ["/board"]
    assert "data-notify-action>" not in page.text  # on a page of its own the browser sends it


def test_what_an_action_itself_finds_wrong_is_shown_beside_the_fields(client: FlaskClient) -> None:
    answer = post_json(client, "/actions/announce", {**ANNOUNCEMENT, "text": "twice"})
    page = post(client, "/actions/announce", {**ANNOUNCEMENT, "text": "twice"})

    assert answer.status_code == page.status_code == 422
    assert answer.json["message"] == "It was announced already."
    for html in (answer.json["html"]["notify-dialog-body"], page.text):
        assert 'id="notify-field-text-error">Say something new.' in html
        assert "Not twice." in html
        assert "It was announced already." in html


def test_what_is_secret_never_stands_in_a_page(client: FlaskClient) -> None:
    sent = {**ANNOUNCEMENT, "password": "sesame"}

    for asked in ({**sent, "text": ""}, {**sent, "tone": "loud"}):
        for answer in (post(client, "/actions/announce", asked), post_json(client, "/actions/announce", asked)):
            assert answer.status_code in (200, 422)
            assert "sesame" not in answer.text


def test_what_an_action_without_a_form_finds_wrong_is_told(board: Board, client: FlaskClient, lunch: int) -> None:
    @board.site.notify.action
    class Judge(Action):
        """It finds something wrong."""

        target = board.Thread

        def permitted(self, ar: ActionRequest, thread: Any) -> bool:  # noqa: ARG002
            return True

        def run(self, ar: ActionRequest, thread: Any) -> None:  # noqa: ARG002
            ar.error("Not like this.", errors={"title": "It is too short."})

    answer = post_json(client, "/actions/judge", {"row": lunch})
    led = post(client, "/actions/judge", {"row": lunch, "next": "/board"})

    assert (answer.status_code, answer.json["message"]) == (422, "Not like this.\nIt is too short.")
    assert led.location == "/board"
    assert flashed(client) == [("error", "Not like this.\nIt is too short.")]


@pytest.mark.parametrize("given, status", [({"text": ""}, 422), ({"colour": "red"}, 500), ("nothing", 500)])
def test_what_another_action_was_given_wrongly_is_not_asked_of_this_one(
    board: Board, client: FlaskClient, caplog: pytest.LogCaptureFixture, given: Any, status: int
) -> None:
    @board.site.notify.action
    class Relay(Action):
        """It runs another one."""

        form = board.site.notify.actions["probe"].form

        def permitted(self, ar: ActionRequest) -> bool:  # noqa: ARG002
            return True

        def run(self, ar: ActionRequest) -> None:
            if given == "nothing":
                ar.run("nothing")
            ar.run("announce", params=given)

    answer = post_json(client, "/actions/relay", {"say": "x", "kind": ""})

    assert answer.status_code == status
    assert "html" not in answer.json
    assert ("Say something." in answer.json["message"]) == (status == 422)
    assert ("has failed" in caplog.text) == (status == 500)
    assert board.ran == []


# The dialog


def test_the_dialog_is_part_of_a_page_or_a_page_of_its_own(client: FlaskClient, lunch: int) -> None:
    part: Any = client.get(f"/actions/close_thread?row={lunch}&next=/board", headers=JSON)
    page = client.get(f"/actions/close_thread?row={lunch}&next=/board")

    assert (part.json["title"], part.status_code) == ("Close thread", 200)
    for html in (part.json["html"]["notify-dialog-body"], page.text):
        assert fields(html) == {"row": [str(lunch)], "next": ["/board"]}
        assert 'value="Close thread: Lunch"' in html
        assert 'maxlength="200"' in html
    assert "<h1" in page.text
    assert "<h1" not in part.json["html"]["notify-dialog-body"]


@every_database
def test_get_changes_nothing(board: Board, site: Site, database: Database, client: FlaskClient, lunch: int) -> None:
    token(client)
    paths = [f"/actions/{name}?row={lunch}" for name in ("close_thread", "delete_thread", "vote", "close_several")]
    with recorded(database, site) as statements:
        answers = [client.get(path, headers=headers) for path in [*paths, "/board"] for headers in ({}, JSON)]

    assert {answer.status_code for answer in answers} == {200}
    assert len(statements) > len(paths)
    assert [said for said in statements if re.match(r"\s*(INSERT|UPDATE|DELETE|SAVEPOINT|BEGIN IMM)", said)] == []
    assert board.state() == {"Lunch": (False, 0)}


def test_an_action_without_a_form_has_a_page_that_asks(client: FlaskClient, lunch: int) -> None:
    page = client.get(f"/actions/delete_thread?row={lunch}&next=/board").text

    assert "Delete?" in page
    assert "Delete the thread for good." in page
    assert fields(page) == {"row": [str(lunch)], "next": ["/board"]}


# Questions


@every_database
def test_a_question_takes_back_what_was_done_and_the_answer_runs_it_anew(
    board: Board, client: FlaskClient, lunch: int
) -> None:
    asked = post_json(client, "/actions/close_thread", {"row": lunch, **CLOSING})

    question = asked.json["xcallback"]
    assert (asked.status_code, question["id"]) == (200, "close")
    assert question["text"] == "Close “Lunch”?\nNobody can write then."
    assert question["buttons"] == {"yes": "Yes", "no": "No"}
    assert board.closed() == set()

    declined = post_json(client, "/actions/close_thread", {"row": lunch, **CLOSING, "answer-close": "no"})
    assert declined.json == {"success": False, "info_message": "Nothing was changed."}
    assert board.closed() == set()

    done = post_json(client, "/actions/close_thread", {"row": lunch, **CLOSING, "answer-close": "yes"})
    assert done.json == {"success": True, "message": "“Lunch” is closed.", "refresh": True}
    assert board.closed() == {"Lunch"}


def test_without_a_script_a_question_is_a_page_with_two_buttons(
    board: Board, site: Site, client: FlaskClient, lunch: int
) -> None:
    david = site.add_user("david")
    page = post(client, "/actions/close_thread", {"row": lunch, **CLOSING, "subject": '"><b>bold', "body": "a\r\nb"})

    assert page.status_code == 200
    again = fields(page.text)
    assert "Close “Lunch”?" in page.text
    assert again["subject"] == ["&#34;&gt;&lt;b&gt;bold"]
    assert '<button class="notify-button" type="submit" name="answer-close" value="yes">' in page.text
    led = post(client, "/actions/close_thread", {**again, "subject": "x", "answer-close": "no"})
    assert (led.status_code, led.location) == (303, "/board")
    assert flashed(client) == [("info", "Nothing was changed.")]
    assert board.closed() == set()

    led = post(client, "/actions/close_thread", {**again, "subject": "Off to lunch", "answer-close": "yes"})

    assert led.location == "/board"
    assert flashed(client) == [("success", "“Lunch” is closed.")]
    assert board.closed() == {"Lunch"}
    assert unseen(site, david) == {"Off to lunch"}


@pytest.mark.usefixtures("lunch")
def test_several_questions_are_asked_one_after_another(board: Board, client: FlaskClient, ann: Any) -> None:
    row = board.add_thread(ann, "<b>Tea</b>")
    first = post(client, "/actions/delete_thread", {"row": row, "next": "/board"})
    second = post(client, "/actions/delete_thread", {**fields(first.text), f"answer-delete-{row}": "yes"})

    assert "Delete “&lt;b&gt;Tea&lt;/b&gt;” for good?" in first.text
    assert "It is still open." in second.text
    assert fields(second.text)[f"answer-delete-{row}"] == ["yes"]
    done = post_json(client, "/actions/delete_thread", {**fields(second.text), "answer-open": "yes"})

    assert done.json == {"success": True, "message": "Deleted.", "record_deleted": True, "record_id": row}
    assert board.state() == {"Lunch": (False, 0)}


def test_a_password_is_asked_for_again_with_a_question(client: FlaskClient) -> None:
    page = post(client, "/actions/announce", {**ANNOUNCEMENT, "tone": "loud"}).text

    assert "password" not in fields(page)
    assert re.search(r'<input[^>]* name="password"[^>]* type="password"', page)
    assert fields(page)["tone"] == ["loud"]


# What goes wrong


def test_an_exception_is_told_by_a_reference_alone(
    board: Board, client: FlaskClient, lunch: int, caplog: pytest.LogCaptureFixture
) -> None:
    trackers: list[BaseException] = []
    got_request_exception.connect(track := lambda _, exception: trackers.append(exception), board.site.app)
    with caplog.at_level(logging.ERROR, "flask_notify.actions"):
        answer = post_json(client, "/actions/break_thread", {"row": lunch})
        page = post(client, "/actions/break_thread", {"row": lunch})
    got_request_exception.disconnect(track, board.site.app)

    assert answer.status_code == page.status_code == 500
    assert answer.json["success"] is False
    for text in (answer.json["message"], page.text):
        (reference,) = re.findall(r"[Rr]eference ([0-9a-f]{8})", text)
        assert f"reference {reference}" in caplog.text
    assert "secret of the server" in caplog.text
    for told in (answer.text, page.text):
        assert not re.search(r"secret|Traceback|ZeroDivision|\.py", told)
    assert [type(error) for error in trackers] == [ZeroDivisionError] * 2
    assert board.closed() == set()


@every_database
def test_a_commit_that_fails_is_told_likewise(
    board: Board, site: Site, client: FlaskClient, lunch: int, caplog: pytest.LogCaptureFixture
) -> None:
    @site.notify.action
    class TooLate(Action):
        """It lets the commit fail."""

        target = board.Thread

        def permitted(self, ar: ActionRequest, thread: Any) -> bool:  # noqa: ARG002
            return True

        def run(self, ar: ActionRequest, thread: Any) -> None:
            thread.closed = True

            def fail() -> int:
                raise ZeroDivisionError

            ar.user.add_notification("late", fail)

    answer = post_json(client, "/actions/too_late", {"row": lunch})

    assert answer.status_code == 500
    assert "ZeroDivisionError" in caplog.text
    assert board.closed() == set()
    assert post_json(client, "/actions/vote", {"row": lunch}).status_code == 200


def test_an_action_may_abort(board: Board, site: Site, client: FlaskClient, lunch: int) -> None:
    @site.notify.action
    class Often(Action):
        """It limits the rate."""

        target = board.Thread

        def permitted(self, ar: ActionRequest, thread: Any) -> bool:  # noqa: ARG002
            return True

        def run(self, ar: ActionRequest, thread: Any) -> None:  # noqa: ARG002
            thread.closed = True
            abort(429, description="Wait a minute.")

    answer = post_json(client, "/actions/often", {"row": lunch})

    assert (answer.status_code, answer.json) == (429, {"success": False, "message": "Wait a minute."})
    assert post(client, "/actions/often", {"row": lunch}).status_code == 429
    assert board.closed() == set()


def test_an_unknown_action_is_not_found(client: FlaskClient) -> None:
    assert post_json(client, "/actions/nothing").status_code == 404
    assert client.get("/actions/nothing").status_code == 404
    assert client.get(f"/actions/{'x' * 65}").status_code == 404


# Who asks


def test_who_is_not_logged_in_is_sent_to_the_login_and_then_to_the_dialog(board: Board, site: Site, lunch: int) -> None:
    site.app.login_manager.login_view = "log_in"  # type: ignore[attr-defined]
    visitor = site.client()

    refused: Any = visitor.post("/actions/vote", data={"row": lunch}, headers=JSON)
    led = visitor.post("/actions/vote", data={"row": lunch, "next": "/board"})
    asked = visitor.get(led.location)

    assert (refused.status_code, visitor.get("/actions/vote", headers=JSON).status_code) == (401, 401)
    assert (led.status_code, led.location) == (303, f"/actions/vote?row={lunch}&next=/board")
    assert (asked.status_code, "/log-in" in asked.location) == (302, True)
    assert board.state() == {"Lunch": (False, 0)}


@pytest.fixture(params=["alone", "with CSRFProtect", "exempted from CSRFProtect"])
def guarded(request: pytest.FixtureRequest, site: Site) -> None:
    """Applications that check by themselves, and that do not."""
    if request.param != "alone":
        protect = CSRFProtect(site.app)
        protect.exempt("tests.apps.login")  # the tests log in without a token
        if request.param.startswith("exempted"):
            protect.exempt(site.app.blueprints["notify"])


@pytest.mark.usefixtures("guarded")
def test_a_post_without_a_good_token_changes_nothing(board: Board, client: FlaskClient, lunch: int) -> None:
    token(client)

    for sent in ({}, {"csrf_token": ""}, {"csrf_token": "forged"}):
        for headers in ({}, JSON):
            assert client.post("/actions/vote", data={"row": lunch, **sent}, headers=headers).status_code == 400
    assert board.state() == {"Lunch": (False, 0)}
    assert post_json(client, "/actions/vote", {"row": lunch}).status_code == 200


def test_a_button_of_another_account_does_nothing(
    board: Board, site: Site, client: FlaskClient, ann: Any, lunch: int
) -> None:
    (hers, *_) = hidden(client.get("/board").text, "notify_user")
    client.post(f"/login/{site.add_user('david')}")

    refused = post_json(client, "/actions/vote", {"row": lunch, "notify_user": hers})

    assert refused.status_code == 409
    assert board.state() == {"Lunch": (False, 0)}
    assert ann


def test_the_field_of_the_token_may_have_another_name(build: Callable[..., Site]) -> None:
    site = build(WTF_CSRF_FIELD_NAME="forgery")
    board = make_board(site)
    ann = site.add_user("ann")
    row, client = board.add_thread(ann), site.client(ann)

    answer = client.post("/actions/vote", data={"row": row, "forgery": token(client)}, headers=JSON)

    assert answer.status_code == 200
