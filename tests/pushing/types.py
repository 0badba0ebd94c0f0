"""Types of messages for the tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from flask_notify import MessageType
from tests.pushing.post_office import PostOffice


class Renewed(MessageType):
    """One that takes the place of the unseen one about the same target."""

    collapse: ClassVar[Literal["first", "latest"] | None] = "latest"
    text: str

    def subject(self, recipient: Any) -> str:  # noqa: ARG002
        return self.text


class First(Renewed):
    """One of which only the first is told."""

    collapse = "first"


class Alarm(Renewed):
    """One that cannot be masked."""

    collapse = None
    critical = True


class Quiet(Renewed):
    """One that is not pushed, unless somebody wants it."""

    collapse = None
    push = False


def declare(office: PostOffice) -> None:
    """Declare all of them."""
    for kind in (Renewed, First, Alarm, Quiet):
        office.site.notify.message_type(kind)


def renewing(office: PostOffice, key: Any) -> Callable[[str], None]:
    """Return what tells a user of one thing, again and again: the message is made once and then renewed."""
    target = office.site.add_user("the target")

    def tell(text: str) -> None:
        with office.site.app.app_context():
            about = office.site.user(target)
            office.site.notify.send(Renewed(text=text, target=about), to=office.site.user(key))
            office.site.db.session.commit()

    return tell
