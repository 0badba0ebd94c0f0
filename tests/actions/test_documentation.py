"""What the documentation tells of actions is so, and nothing of the source is left out (rows F2 and F9)."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flask_notify.actions.responses import RESPONSE_KEYS
from flask_notify.errors import ActionRefused, AnswerNeeded, RowNotFound

DOCS = Path(__file__).parents[2] / "docs"

# Every name in Lino's page on action requests, and in its section on notifying actions.
TERMS = """
    ActionRequest ActorRequest BaseRequest InstanceAction PhantomRow ValidActionResponses BoundAction NotifyingAction
    message alert alert_eval_js rows title count data_record id data navinfo disable_delete record_id record_deleted
    xcallback actor_id an sr goto_url open_url warning_message info_message debug_message detail_handler_name success
    no_data_text refresh refresh_all close_window active_tab
    handle_action_result set_response error goto_instance goto_pk
    renderer TestRenderer known_values master_instance request rqdata unused_request is_on_main_actor permalink_uris
    parse_req setup_from parent subst_user requesting_panel user get_user spawn spawn_request run run_from_code
    run_from_ui run_from_session request_from bound_action instance actor action
    get_printable_context set_selected_pks selected_rows get_permission select_rows confirm ok_func noop
    set_confirm_answer create_instance form2obj_and_save get_status clear_cached_status
    show spec column_names header_level language nosummary stripped show_links header_links display_mode limit grid html
    show_story story2html show_dashboard show_menu show_menu_path menu_item_button get_home_url get_request_url
    get_help_url obj2html obj2str obj2memo html_text action_button ar2button as_button row_action_button
    row_action_button_ar instance_action_button get_data_value elem2rec_insert elem2rec_detailed recno get_total_count
    is_obvious_field summary_row as_summary_row
    notify_subject notify_body notify_silent get_notify_subject get_notify_body get_notify_owner get_notify_recipients
    emit_system_note
""".split()  # noqa: SIM905  # as one reads them


def rows_of_the_map() -> list[str]:
    """Return the left side of each row: Lino's."""
    text = (DOCS / "explanation" / "lino-actions.rst").read_text()
    return re.findall(r"^   \* - (.*?)(?=^     - )", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("term", TERMS)
def test_every_term_of_the_source_is_mapped_or_refused(term: str) -> None:
    assert any(re.search(rf"``[^`]*\b{term}\b[^`]*``", row) for row in rows_of_the_map())


@pytest.mark.parametrize("key", RESPONSE_KEYS)
def test_every_key_of_a_response_is_documented(key: str) -> None:
    text = (DOCS / "reference" / "responses.rst").read_text()
    entry = re.search(rf"^\.\. describe:: {key}\n(.*?)(?=^\S|\Z)", text, re.DOTALL | re.MULTILINE)

    assert entry
    assert RESPONSE_KEYS[key].meaning in entry[1]
    assert f"| Expected: {RESPONSE_KEYS[key].expected}." in entry[1]
    assert "| Carried out by: " in entry[1]


def test_no_key_is_documented_that_is_none() -> None:
    text = (DOCS / "reference" / "responses.rst").read_text()

    assert re.findall(r"^\.\. describe:: (\w+)$", text, re.MULTILINE) == list(RESPONSE_KEYS)


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The application that the how-to shows, with a thread of Susan's that Bob takes part in."""
    monkeypatch.setenv("FLASK_SQLALCHEMY_DATABASE_URI", f"sqlite:///{tmp_path / 'forum.sqlite'}")
    names = SimpleNamespace(**runpy.run_path(str(DOCS / "code" / "actions.py")))
    with names.app.app_context():
        session = names.db.session
        names.susan, names.bob = names.User(username="susan"), names.User(username="bob")
        session.add_all([names.susan, names.bob])
        session.flush()
        names.thread = names.Thread(title="Lunch", author_id=names.susan.id, participants=[names.susan, names.bob])
        session.add(names.thread)
        session.commit()
        yield names
    with names.app.app_context():
        names.db.engine.dispose()


def test_the_how_to_s_actions_are_tested_as_it_says(example: Any) -> None:
    CloseThread, thread = example.CloseThread, example.thread

    with pytest.raises(ActionRefused):
        CloseThread.run_for(thread, user=example.bob, answers=True)
    with pytest.raises(AnswerNeeded, match="Close “Lunch”"):
        CloseThread.run_for(thread, user=example.susan)
    assert CloseThread.run_for(thread, user=example.susan, answers={"close": False}).failed
    assert CloseThread.run_for(thread, user=example.susan, answers={"close": True}).message == "Closed."


def test_the_how_to_s_shell_answers_as_it_says(example: Any) -> None:
    example.db.session.add_all([example.Thread(title="x"), example.Thread(title="y")])
    ar = example.notify.action_request(user=example.susan)
    ar.set_confirm_answer(True)

    assert ar.run(example.CloseThread, example.thread).message == "Closed."
    assert ar.run("count_threads").message == "There are 3 threads."


def test_the_how_to_s_notifying_action_tells_the_others(example: Any) -> None:
    example.CloseThread.run_for(example.thread, user=example.susan, answers=True)
    example.db.session.commit()

    assert [message.subject for message in example.bob.messages_received] == ["Close thread: Lunch"]
    assert list(example.susan.messages_received) == []


def test_the_how_to_s_other_actions_do_as_it_says(example: Any) -> None:
    susan, thread = example.susan, example.thread

    assert example.MoveThread.run_for(thread, user=susan, params={"topic": "Food"}).message == "Moved to Food."
    assert example.TidyUp.run_for([thread], user=susan).message == "Closed: 1."
    thread.topic = "Announcements"
    assert example.TidyUp.run_for([thread], user=susan).message == "Lunch stays open."
    with pytest.raises(RowNotFound):
        example.TidyUp.run_for([thread], user=example.bob)
