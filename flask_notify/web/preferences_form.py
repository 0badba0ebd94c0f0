"""The form of the preferences: one choice in general, and one for each type of messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, SelectField, SelectMultipleField
from wtforms.widgets import CheckboxInput

from ..language import gettext
from ..messages.message_types import MessageType
from ..rules import MailMode

Choice = tuple[str, str]
"""What is sent, and what is read."""


@dataclass(frozen=True)
class Offer:
    """What one recipient can choose from.

    :param types: the types that they may get, and can mask.
    :param languages: the codes and names of the languages; one or none is no choice.
    :param default_zone: the application's time zone.
    :param blocked: the senders whom they have blocked: the key of each as text, and the name.
    """

    types: Sequence[type[MessageType]]
    languages: Sequence[Choice]
    default_zone: str
    blocked: Sequence[Choice]


@dataclass(frozen=True)
class PreferencesForm:
    """The form, with its fields by what they are about."""

    form: Any
    types: list[tuple[type[MessageType], Field]]

    def modes(self) -> dict[str, str]:
        """Return what was chosen per type, by the type's name; an empty text is no opinion."""
        return {kind.name: field.data for kind, field in self.types}


def make_form(offer: Offer, stored: dict[str, Any], modes: dict[str, str]) -> PreferencesForm:
    """Return the form, filled with what was chosen so far.

    :param stored: ``mail_mode``, ``timezone``, ``locale``, ``notify_myself`` and ``widget_shown``.
    :param modes: the modes per type that are set.
    """
    names = {kind.name: f"type-{number}" for number, kind in enumerate(offer.types)}
    fields = _fields(offer, stored) | {
        names[kind.name]: SelectField(kind.title(), choices=_options(mode_choices(gettext("As in general"))))
        for kind in offer.types
    }
    data = stored | {names[kind.name]: modes.get(kind.name, "") for kind in offer.types}
    form: Any = type("PreferencesForm", (FlaskForm,), fields)(data=data)
    return PreferencesForm(form, [(kind, form[names[kind.name]]) for kind in offer.types])


def _fields(offer: Offer, stored: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "mail_mode": SelectField(
            gettext("In general"), choices=_options(mode_choices(gettext("As each kind suggests")))
        ),
        "timezone": SelectField(gettext("Time zone"), choices=_options(_zones(offer, stored["timezone"]))),
        "notify_myself": BooleanField(gettext("Tell me of what I do myself, too")),
        "widget_shown": BooleanField(gettext("Show new messages on my dashboard")),
    }
    if len(offer.languages) > 1:
        fields["locale"] = SelectField(
            gettext("Language of mails"), choices=_options(_languages(offer, stored["locale"]))
        )
    if offer.blocked:
        fields["unblock"] = SelectMultipleField(
            gettext("Let them write to you again"), choices=_options(offer.blocked), option_widget=CheckboxInput()
        )
    return fields


def _options(choices: Iterable[Choice]) -> list[Any]:
    """Return the choices as WTForms wants them: since 3.3 as objects of its own, before as pairs."""
    try:
        from wtforms.fields.choices import SelectChoice
    except ImportError:
        return list(choices)
    return [SelectChoice(value, label) for value, label in choices]


def mode_choices(none: str) -> list[Choice]:
    """Return the mail modes as people read them.

    :param none: what it means to choose none of them.
    """
    return [
        ("", none),
        (MailMode.OFTEN.value, gettext("Mail soon, unless I have seen it")),
        (MailMode.DAILY.value, gettext("Mail once a day")),
        (MailMode.WEEKLY.value, gettext("Mail once a week")),
        (MailMode.NEVER.value, gettext("Only here, no mail")),
        (MailMode.SILENT.value, gettext("Not at all")),
    ]


def _zones(offer: Offer, present: str) -> list[Choice]:
    return [("", gettext("As the site: %(zone)s", zone=offer.default_zone)), *_and_present(_all_zones(), present)]


def _languages(offer: Offer, present: str) -> list[Choice]:
    return [("", gettext("As the site")), *_and_present(offer.languages, present)]


def _and_present(choices: Iterable[Choice], present: str) -> list[Choice]:
    """Return the choices, with what is chosen now even if it is none of them: saving must not change it."""
    known = list(choices)
    if present and present not in dict(known):
        known.append((present, present))
    return known


@cache
def _all_zones() -> tuple[Choice, ...]:
    # Not the old spellings and the offsets, which nobody looks for: they have no place in their names.
    named = (zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "SystemV/")))
    return tuple((zone, zone.replace("_", " ")) for zone in ["UTC", *sorted(named)])
