"""What the microblog tells people, in the language of each, and how it reaches their mailbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import url_for
from markupsafe import Markup

from flask_notify import MailMode, MessageType

from .extensions import notify
from .languages import gettext, lazy_gettext

if TYPE_CHECKING:
    from .models import User


@notify.message_type
class Followed(MessageType):
    """Somebody follows the target. One message is enough until it is seen: "and 3 more"."""

    label = lazy_gettext("New followers")
    mail_mode = MailMode.DAILY
    collapse = "latest"

    def subject(self, recipient: User) -> str:  # noqa: ARG002
        """Name the newest of them."""
        return gettext("%(who)s follows you", who=self.sender.username)

    def url(self, recipient: User) -> str:
        """Lead to all of them."""
        return url_for("main.followers", username=recipient.username)


@notify.message_type
class Mentioned(MessageType):
    """Somebody writes a name with an @ in a post, which is the target."""

    label = lazy_gettext("Mentions")

    def subject(self, recipient: User) -> str:  # noqa: ARG002
        """Name who it was."""
        return gettext("%(who)s mentioned you", who=self.sender.username)

    def body(self, recipient: User) -> str:  # noqa: ARG002
        """Quote the post: it is text, and stays text."""
        return str(self.target.body)

    def url(self, recipient: User) -> str:  # noqa: ARG002
        """Lead to the post."""
        return url_for("main.post", post_id=self.target.id)


@notify.message_type
class Announced(MessageType):
    """Something that an administrator tells everybody."""

    label = lazy_gettext("Announcements")
    mail_mode = MailMode.WEEKLY
    headline: str
    text: str

    def subject(self, recipient: User) -> str:  # noqa: ARG002
        """Say what it is about."""
        return self.headline

    def body(self, recipient: User) -> Markup:  # noqa: ARG002
        """Say all of it, the headline, too: where there is a body, lists show that and no subject."""
        lines = Markup("<br>").join(self.text.splitlines())
        return Markup("<p><strong>{}</strong></p><p>{}</p>").format(self.headline, lines)


@notify.message_type
class Maintenance(Announced):
    """An announcement that nobody can switch off, that is mailed at once, and that opens the inbox by itself."""

    label = lazy_gettext("Maintenance")
    critical = True
    popup = True


def welcome(newcomer: User) -> None:
    """Greet somebody who has just made an account."""
    text = Markup(
        "<p>Good to have you here, <strong>{name}</strong>. Three things to begin with:</p>"
        '<ul><li><a href="{explore}">Explore</a> what people write, and follow whom you like.</li>'
        '<li>Tell others <a href="{profile}">who you are</a>.</li>'
        "<li>Choose <em>how you want to hear from us</em>: on the page alone, at once, or once a day.</li></ul>"
    ).format(name=newcomer.username, explore=url_for("main.explore"), profile=url_for("main.edit_profile"))
    notify.send("Welcome to the microblog", to=newcomer, body=text, url=url_for("main.explore"))
