"""Names with an @ in a post: they lead to the person, who is told."""

from __future__ import annotations

import re

import sqlalchemy as sa
from flask import Flask, url_for
from markupsafe import Markup

from .extensions import notify
from .message_types import Mentioned
from .models import Post, User

# Not in the middle of a word: a mail address mentions nobody. A full stop after a name ends the sentence.
_MENTION = re.compile(r"(?<![\w.@])@([a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9_-])?)(?![\w@])", re.IGNORECASE | re.ASCII)


def names(text: str) -> set[str]:
    """Return the names that a text mentions, as they are stored."""
    return {name.lower() for name in _MENTION.findall(text)}


def tell(author: User, post: Post, mentioned: set[str]) -> None:
    """Tell those whom a post mentions, once each; names that nobody has are only text."""
    if mentioned:
        notify.send(Mentioned(sender=author, target=post), to=sa.select(User.id).where(User.username.in_(mentioned)))


def with_links(text: str) -> Markup:
    """Render a text, in which each mentioned name leads to the person's page."""
    html, end = Markup(""), 0
    for found in _MENTION.finditer(text):
        address = url_for("main.profile", username=found[1].lower())
        html += text[end : found.start()] + Markup('<a href="{}">{}</a>').format(address, found[0])
        end = found.end()
    return html + text[end:]


def init_app(app: Flask) -> None:
    """Offer ``with_links`` to the templates."""
    app.add_template_filter(with_links)
