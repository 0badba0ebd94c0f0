"""A board of threads with a page whose buttons run actions, for the tests of actions on the web and in a browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Response, render_template_string, request
from markupsafe import Markup
from sqlalchemy import ForeignKey, Integer, String
from wtforms import (
    BooleanField,
    FileField,
    Form,
    HiddenField,
    PasswordField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import InputRequired, Length, ValidationError

from flask_notify import Action, ActionRequest, NotifyingAction
from flask_notify.web.preferences_form import _options
from tests.apps import Site

PAGE = (Path(__file__).parent / "board.html").read_text()
STYLE = """
:root { color-scheme: light dark; }
body { max-width: 40rem; margin: 16px auto; padding: 0 16px; background: Canvas; color: CanvasText; }
body { font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
ul { padding: 0; list-style: none; }
li { margin: 16px 0; padding: 8px 16px; border: 1px solid GrayText; border-radius: 8px; }
li p { display: flex; align-items: center; margin: 4px 0; }
.board-actions { display: flex; flex-wrap: wrap; gap: 8px; margin-block: 8px; }
a { padding: 10px 0; color: inherit; }
input[name=notes] { box-sizing: border-box; width: 100%; min-height: 44px; font: inherit; }
"""


def _no_shouting(_: Form, text: Any) -> None:
    if text.data.isupper():
        raise ValidationError("Do not shout, <b>please</b>.")


class AnnounceForm(Form):  # type: ignore[misc]  # untyped
    """A field of each kind."""

    text = StringField(
        "Text", [InputRequired("Say something."), Length(max=40), _no_shouting], description="In a line."
    )
    more = TextAreaField("More")
    tone = RadioField("Tone", choices=_options([("calm", "Calm"), ("loud", "Loud")]), default="calm")
    place = SelectField("Place", choices=_options([("top", "Top"), ("foot", "Foot")]))
    sticky = BooleanField("Keep it on top")
    password = PasswordField("Your password", [InputRequired("Say your password.")])
    origin = HiddenField(default="board")


class ProbeForm(Form):  # type: ignore[misc]  # untyped
    """What the action is to answer."""

    say = StringField("Say")
    kind = StringField("Kind")
    upload = FileField("File")


@dataclass
class Board:
    """An application with threads, and actions on them."""

    site: Site
    Thread: Any
    parts: bool = False
    ran: list[Any] = field(default_factory=list)

    def add_thread(self, author: Any, title: str = "Lunch", **values: Any) -> int:
        """Store a thread, and return its key."""
        with self.site.app.app_context():
            thread = self.Thread(author_id=author, title=title, **values)
            self.site.db.session.add(thread)
            self.site.db.session.commit()
            return int(thread.id)

    def state(self) -> dict[str, tuple[bool, int]]:
        """Return of all threads by title whether they are closed, and how many votes they have."""
        with self.site.app.app_context():
            found = self.site.db.session.scalars(self.site.db.select(self.Thread)).all()
            return {thread.title: (thread.closed, thread.votes) for thread in found}

    def closed(self) -> set[str]:
        """Return the titles of the threads that are closed."""
        return {title for title, (closed, _) in self.state().items() if closed}


def make_board(site: Site) -> Board:
    """Add threads, actions and a page to an application, and the tables to its database."""
    board = Board(site, _make_thread(site))
    site.create_tables()
    for declare in (_close, _delete, _vote, _several, _announce, _break, _probe):
        site.notify.action(declare(board))
    _add_pages(board)
    return board


def _make_thread(site: Site) -> Any:
    db = site.db

    class Thread(db.Model):  # type: ignore[name-defined,misc]  # as Flask-SQLAlchemy has it
        id = db.Column(Integer, primary_key=True)
        author_id = db.Column(Integer, ForeignKey("user.id"))
        title = db.Column(String(80), nullable=False)
        closed = db.Column(db.Boolean, default=False, nullable=False)
        hidden = db.Column(db.Boolean, default=False, nullable=False)
        votes = db.Column(Integer, default=0, nullable=False)

        def __str__(self) -> str:
            return str(self.title)

        def get_absolute_url(self) -> str:
            return f"/threads/{self.id}"

        @classmethod
        def visible_to(cls, user: Any, ids: set[int]) -> set[int]:
            seen = db.select(cls.id).where(cls.id.in_(ids), ~cls.hidden | (cls.author_id == getattr(user, "id", None)))
            return set(db.session.scalars(seen))

    return Thread


def _is_author(ar: ActionRequest, thread: Any) -> bool:
    return bool(ar.user is not None and thread.author_id == ar.user.id)


def _close(board: Board) -> type[Action]:
    class CloseThread(NotifyingAction):
        """It has a dialog, and asks."""

        label = "Close thread"
        target = board.Thread

        def permitted(self, ar: ActionRequest, thread: Any) -> bool:
            return _is_author(ar, thread) and not thread.closed

        def get_notify_recipients(self, ar: ActionRequest, thread: Any) -> Any:  # noqa: ARG002
            return board.site.db.session.scalars(board.site.db.select(board.site.User))

        def run(self, ar: ActionRequest, thread: Any) -> None:
            thread.closed = True
            ar.confirm(f"Close “{thread.title}”?", "Nobody can write then.", uid="close")
            ar.success(f"“{thread.title}” is closed.", refresh=True)

    return CloseThread


def _delete(board: Board) -> type[Action]:
    class DeleteThread(Action):
        """It asks, and its row is gone then."""

        label = "Delete"
        help_text = "Delete the thread for good."
        target = board.Thread
        danger = True

        def permitted(self, ar: ActionRequest, thread: Any) -> bool:
            return _is_author(ar, thread)

        def run(self, ar: ActionRequest, thread: Any) -> None:
            ar.confirm(f"Delete “{thread.title}” for good?", uid=f"delete-{thread.id}")
            if not thread.closed:
                ar.confirm("It is still open. Delete it all the same?", uid="open")
            board.site.db.session.delete(thread)
            ar.success("Deleted.", record_deleted=True, record_id=thread.id)

    return DeleteThread


def _vote(board: Board) -> type[Action]:
    class Vote(Action):
        """It answers with a fragment."""

        label = "Vote"
        target = board.Thread

        def permitted(self, ar: ActionRequest, thread: Any) -> bool:  # noqa: ARG002
            return ar.user is not None

        def run(self, ar: ActionRequest, thread: Any) -> None:
            thread.votes += 1
            board.ran.append(thread.id)
            button = ar.action_button(type(self), thread)
            shown = Markup('<div id="votes-{}">{} {} votes</div>').format(thread.id, button, thread.votes)
            ar.success("Thank you.", html={f"votes-{thread.id}": shown})

    return Vote


def _several(board: Board) -> type[Action]:
    class CloseSeveral(Action):
        """It runs on selected rows."""

        label = "Close the selected"
        target = board.Thread
        select = "many"

        def permitted(self, ar: ActionRequest, thread: Any) -> bool:
            return _is_author(ar, thread)

        def run(self, ar: ActionRequest, threads: Any) -> None:
            for thread in threads:
                thread.closed = True
                if thread.title == "stuck":
                    ar.error("One is <stuck>.")
                if thread.title == "broken":
                    raise ZeroDivisionError
            ar.success(f"{len(threads)} closed.", refresh=True)

    return CloseSeveral


def _announce(board: Board) -> type[Action]:
    class Announce(Action):
        """It runs without rows, and has a form."""

        form = AnnounceForm
        help_text = "Everybody reads it."

        def permitted(self, ar: ActionRequest) -> bool:
            return ar.user is not None and ar.user.name != "david"

        def run(self, ar: ActionRequest) -> None:
            if ar.params["text"] == "twice":
                ar.error("It was announced already.", errors={"text": "Say something new.", "": "Not twice."})
            if ar.params["tone"] == "loud":
                ar.confirm("As loud as that?", uid="loud")
            board.ran.append({name: value for name, value in ar.params.items() if value})
            ar.success("Announced.")
            ar.info("It is on top now.")
            ar.warning("Some are asleep.")

    return Announce


def _break(board: Board) -> type[Action]:
    class BreakThread(Action):
        """It fails."""

        target = board.Thread

        def permitted(self, ar: ActionRequest, thread: Any) -> bool:  # noqa: ARG002
            return True

        def run(self, ar: ActionRequest, thread: Any) -> None:  # noqa: ARG002
            thread.closed = True
            raise ZeroDivisionError("secret of the server")

    return BreakThread


def _probe(board: Board) -> type[Action]:
    class Probe(Action):
        """It answers as the test wants."""

        form = ProbeForm

        def permitted(self, ar: ActionRequest) -> bool:  # noqa: ARG002
            return True

        def run(self, ar: ActionRequest) -> None:
            upload = ar.params["upload"]
            board.ran.append(upload.read() if hasattr(upload, "read") else None)
            kind, said = ar.params["kind"], ar.params["say"]
            ar.success("Probed.", **({kind: {"true": True}.get(said, said)} if kind else {}))

    return Probe


def _add_pages(board: Board) -> None:
    app, db = board.site.app, board.site.db

    def show() -> str:
        threads = db.session.scalars(db.select(board.Thread).where(~board.Thread.hidden).order_by(board.Thread.id))
        parts = board.parts or "parts" in request.args
        return render_template_string(PAGE, threads=threads.all(), parts=parts)

    app.add_url_rule("/board", "board", show)
    app.add_url_rule("/log-in", "log_in", lambda: "<!doctype html><title>Log in</title>")
    app.add_url_rule("/board.css", "board_style", lambda: Response(STYLE, mimetype="text/css"))
    app.add_url_rule("/threads/<int:number>", "thread", lambda number: f"<!doctype html><title>Thread {number}</title>")
