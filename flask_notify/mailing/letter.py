"""One mail, rendered: the subject, the text and the HTML of a digest (rows C1 and C4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import Flask, current_app
from jinja2 import Environment, Template
from sqlalchemy import select

from ..config import Settings
from ..emission import key_of
from ..errors import ConfigurationError
from ..language import current_language, in_language, ngettext, say_when, text_direction, translators
from ..messages.targets import Shown, show
from ..models import MessageColumns, Models, RecipientKey
from .unsubscribing import Subscription, make_token

_TEMPLATES = "notify.mail_templates"
_LINKS = "notify.mail_links"

_PLACE = 8_315_062_947_130_586
"""A number that stands in no address by itself."""

LONGEST_BODY = 1_000
"""Characters of a body that one among several messages shows; the rest is at the end of its link."""


@dataclass(frozen=True)
class Letter:
    """A rendered mail, without its addresses and the prefix of its subject.

    :param unsubscribe_url: the link for the header List-Unsubscribe; None where it would be of no
        use: all that the mail tells is critical, or there is no key to sign it with.
    """

    subject: str
    text: str
    html: str
    unsubscribe_url: str | None


class Tastes(Protocol):
    """What of an inbox a letter depends on."""

    @property
    def locale(self) -> str | None:
        """The recipient's language, or None."""

    @property
    def timezone(self) -> str | None:
        """The recipient's time zone, or None."""


def render(
    models: Models,
    settings: Settings,
    user: Any,
    messages: Sequence[MessageColumns],
    more: int = 0,
    *,
    tastes: Tastes | None = None,
) -> Letter:
    """Render a mail for a user, in their language and by their clock.

    The templates are ``notify/mail/digest.txt`` and ``notify/mail/digest.html``, which an
    application replaces by its own of the same name. No request is needed.

    :param messages: those that it tells of, at least one.
    :param more: how many there are beyond those.
    :param tastes: the user's inbox, or a row with its ``locale`` and ``timezone``; read if None.
    :raises ConfigurationError: without ``NOTIFY_BASE_URL``.
    """
    if tastes is None:
        inbox = models.inbox.c
        wanted = select(inbox.locale, inbox.timezone).where(inbox.recipient_id == key_of(user))
        # Core has to be told in which bind its tables are.
        tastes = models.db.session.execute(wanted, bind_arguments={"clause": models.inbox}).one_or_none()
    locale, timezone = (None, None) if tastes is None else (tastes.locale, tastes.timezone)
    links = _links(settings)
    with in_language(locale, timezone or settings.timezone):
        # A path in a text has the application's own prefix in it, as url_for() has made it.
        shown = show(models, user, messages, links.origin)
        context = _context(user, shown, more, links)
        context |= _unsubscribing(settings, key_of(user), shown, links)
        zone = _zone(timezone, settings)
        context["when"] = cache(lambda message: say_when(message.created_at.astimezone(zone)))
        text, html = _render_forms(context)
    return Letter(context["subject"], text, html, context["unsubscribe_url"])


class Links:
    """Builds the addresses of the application from ``NOTIFY_BASE_URL``, without a request."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        if settings.base_url is None:
            raise ConfigurationError(
                "NOTIFY_BASE_URL must be an absolute address like 'https://example.org' before a mail is sent, "
                "got None: its links would lead nowhere."
            )
        self.base_url = settings.base_url.rstrip("/")
        self._app = app
        parts = urlsplit(self.base_url)
        self.site = parts.hostname or ""
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self._adapter = app.url_map.bind(parts.netloc, script_name=parts.path or "/", url_scheme=parts.scheme)
        self._around: dict[tuple[str, str | None], tuple[str, str]] = {}

    def url_for(self, endpoint: str, **values: Any) -> str:
        """Return the absolute address of an endpoint, as ``flask.url_for()`` does in a request."""
        anchor = values.pop("_anchor", None)
        self._app.inject_url_defaults(endpoint, values)
        url = self._adapter.build(endpoint, values, force_external=True)
        return f"{url}#{anchor}" if anchor else url

    def page(self, endpoint: str, name: str | None = None, value: int | str = "") -> str:
        """Return the same address as :meth:`url_for`, for an endpoint of which nothing else is in it.

        :param name: of the one value that the endpoint takes, if any.
        :param value: a number, or text of nothing but what an address has without quoting.
        """
        if self._app.url_default_functions:  # they may know of something that changes
            return self.url_for(endpoint) if name is None else self.url_for(endpoint, **{name: value})
        around = self._around.get((endpoint, name))
        if around is None:
            # Built once: only what stands in its place differs from mail to mail.
            url = self.url_for(endpoint) if name is None else self.url_for(endpoint, **{name: _PLACE})
            before, _, after = (url, "", "") if name is None else url.rpartition(str(_PLACE))
            around = self._around[endpoint, name] = before, after
        return f"{around[0]}{value}{around[1]}"


def _links(settings: Settings) -> Links:
    """Return what builds the links of the application's mails, the same as long as it stays at its address."""
    present = current_app.extensions.get(_LINKS)
    if present is None or present.base_url != (settings.base_url or "").rstrip("/"):
        present = Links(current_app._get_current_object(), settings)  # type: ignore[attr-defined]  # a proxy
        current_app.extensions[_LINKS] = present
    return cast(Links, present)


def _context(user: Any, shown: Sequence[Shown], more: int, links: Links) -> dict[str, Any]:
    """Return what the templates are given; documented in ``docs/howto/mail-templates.rst``."""
    one, many = translators()
    return {
        "recipient": user,
        "messages": shown,
        "more": more,
        "subject": _subject(shown, more),
        "base_url": links.base_url,
        "site": links.site,
        "messages_url": links.page("notify.messages"),
        "preferences_url": links.page("notify.preferences"),
        "message_url": lambda message: links.page("notify.message", "id", message.id),
        "url_for": links.url_for,
        "longest_body": LONGEST_BODY,
        "language": current_language(),
        "direction": text_direction(),
        "_": one,
        "_n": many,
    }


def _render_forms(context: Mapping[str, Any]) -> tuple[str, str]:
    # Not by render_template(): the application's context processors may want a request.
    templates = _templates()
    # For both, and not as each template would do it, one by one of a chain of dictionaries.
    names = {**templates.globals, **context}
    return (
        _render(templates.get_template("notify/mail/digest.txt"), names),
        _render(templates.get_template("notify/mail/digest.html"), names),
    )


def _render(template: Template, names: dict[str, Any]) -> str:
    environment = template.environment
    if environment.is_async:
        return template.render(names).strip() + "\n"
    context = template.new_context(names, shared=True)
    try:
        rendered = environment.concat(template.root_render_func(context))
    except Exception:  # noqa: BLE001  # as Template.render() does
        environment.handle_exception()  # raises it anew, with the line of the template in it
    return str(rendered).strip() + "\n"


def _templates() -> Environment:
    """Return the application's templates, in which a line with nothing but a tag is none of the mail's."""
    present = current_app.extensions.get(_TEMPLATES)
    if present is None:
        overlay = current_app.jinja_env.overlay(trim_blocks=True, lstrip_blocks=True)
        present = current_app.extensions[_TEMPLATES] = overlay
    return cast(Environment, present)


def _subject(shown: Sequence[Shown], more: int) -> str:
    if len(shown) == 1 and not more:
        return shown[0].subject
    return ngettext("%(num)d notification", "%(num)d notifications", len(shown) + more)


def _unsubscribing(
    settings: Settings, key: RecipientKey, shown: Sequence[Shown], links: Links
) -> dict[str, str | None]:
    """Return the links to unsubscribe from all mail and, where a mail tells of one type, from that."""
    types = current_app.extensions["notify"].notify.message_types
    maskable = {message.type for message in shown if not (message.type in types and types[message.type].critical)}
    from_all = _unsubscribe_url(settings, links, Subscription(key, None)) if maskable else None
    one = next(iter(maskable)) if len(maskable) == 1 else None
    from_type = _unsubscribe_url(settings, links, Subscription(key, one)) if one in types else None
    return {
        "unsubscribe_url": from_type or from_all,
        "unsubscribe_type_url": from_type,
        "unsubscribe_type_label": types[one].title() if from_type else None,
        "unsubscribe_all_url": from_all,
    }


def _unsubscribe_url(settings: Settings, links: Links, subscription: Subscription) -> str | None:
    token = make_token(settings, subscription)
    return None if token is None else links.page("notify.unsubscribe", "token", token)


def _zone(name: str | None, settings: Settings) -> ZoneInfo:
    try:
        return ZoneInfo(name or settings.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(settings.timezone)
