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
    :param muted: the objects that they have muted, likewise.
    :param push: whether the application pushes.
    """

    types: Sequence[type[MessageType]]
    languages: Sequence[Choice]
    default_zone: str
    blocked: Sequence[Choice]
    muted: Sequence[Choice] = ()
    push: bool = False


@dataclass(frozen=True)
class TypeFields:
    """The fields of one type of messages.

    :param push: None where nothing is pushed.
    """

    kind: type[MessageType]
    mode: Field
    push: Field | None


@dataclass(frozen=True)
class PreferencesForm:
    """The form, with its fields by what they are about."""

    form: Any
    types: list[TypeFields]

    def modes(self) -> dict[str, str]:
        """Return what was chosen per type, by the type's name; an empty text is no opinion."""
        return {fields.kind.name: fields.mode.data for fields in self.types}

    def pushes(self) -> dict[str, bool | None]:
        """Return which types are to be pushed, by the type's name; None is no opinion."""
        return {fields.kind.name: OPINIONS[fields.push.data] for fields in self.types if fields.push is not None}


OPINIONS: dict[str, bool | None] = {"": None, "yes": True, "no": False}
"""What is sent for an opinion, and what it means."""


def sent_for(opinion: bool | None) -> str:
    """Return what a form sends for an opinion."""
    return next(text for text, meant in OPINIONS.items() if meant is opinion)


def make_form(
    offer: Offer, stored: dict[str, Any], modes: dict[str, str], pushes: dict[str, bool] | None = None
) -> PreferencesForm:
    """Return the form, filled with what was chosen so far.

    :param stored: ``mail_mode``, ``timezone``, ``locale``, ``notify_myself``, ``widget_shown``, ``muted``,
        ``desktop`` and ``push``.
    :param modes: the modes per type that are set.
    :param pushes: the opinions on pushing per type that are set.
    """
    fields, data = _fields(offer, stored), dict(stored)
    for number, kind in enumerate(offer.types):
        general = mode_choices(gettext("As in general"))
        fields[f"type-{number}"] = SelectField(kind.title(), choices=_options(general))
        data[f"type-{number}"] = modes.get(kind.name, "")
        if offer.push:
            choices = _options(push_choices(gettext("As in general")))
            label = gettext("Push: %(what)s", what=kind.title())
            fields[f"push-{number}"] = SelectField(label, choices=choices)
            data[f"push-{number}"] = sent_for((pushes or {}).get(kind.name))
    form: Any = type("PreferencesForm", (FlaskForm,), fields)(data=data)
    types = [
        TypeFields(kind, form[f"type-{number}"], form[f"push-{number}"] if offer.push else None)
        for number, kind in enumerate(offer.types)
    ]
    return PreferencesForm(form, types)


def _fields(offer: Offer, stored: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "mail_mode": SelectField(
            gettext("In general"), choices=_options(mode_choices(gettext("As each kind suggests")))
        ),
        "timezone": SelectField(gettext("Time zone"), choices=_options(_zones(offer, stored["timezone"]))),
        "notify_myself": BooleanField(gettext("Tell me of what I do myself, too")),
        "widget_shown": BooleanField(gettext("Show new messages on my dashboard")),
        "desktop": BooleanField(gettext("Desktop notifications, in each browser where I allow them")),
        "muted": BooleanField(gettext("Do not disturb me: nothing pops up until I switch this off")),
    }
    if offer.push:
        general = push_choices(gettext("As each kind suggests"))
        fields["push"] = SelectField(gettext("Push to my devices"), choices=_options(general))
    if len(offer.languages) > 1:
        fields["locale"] = SelectField(
            gettext("Language of messages and mails"), choices=_options(_languages(offer, stored["locale"]))
        )
    for name, label, choices in (
        ("unblock", gettext("Let them write to you again"), offer.blocked),
        ("unmute", gettext("Let me hear of it again"), offer.muted),
    ):
        if choices:
            fields[name] = SelectMultipleField(label, choices=_options(choices), option_widget=CheckboxInput())
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


def push_choices(none: str) -> list[Choice]:
    """Return the opinions on pushing as people read them.

    :param none: what it means to have none of them.
    """
    return [("", none), ("yes", gettext("Push to my devices")), ("no", gettext("Do not push"))]


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
