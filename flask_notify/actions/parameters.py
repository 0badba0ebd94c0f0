"""What an action is given beside its rows: parameters that its form takes, and answers to what it asks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

from werkzeug.datastructures import MultiDict
from wtforms import FieldList, Form, FormField, i18n

from ..errors import InvalidParameters, UnknownParameter
from ..language import current_language, gettext

Answers: TypeAlias = "Mapping[str, bool | str] | bool | None"
"""Answers by the uid of the question: True, False, "yes" or "no". Or one for all questions."""

ANSWER = "answer-"
"""What the name of a field with an answer begins with."""
ROW = "row"
NEXT = "next"
RESERVED = frozenset({ROW, NEXT, "answer", "csrf_token", "notify_user"})
"""Names of fields that every action's form has already; so have all that begin with ``answer-``."""

_ANSWERS = {True: True, False: False, "yes": True, "no": False}
_FIELD = "_formfield"  # by which WTForms knows its own


@dataclass(frozen=True)
class Sent:
    """What a page has sent."""

    rows: list[str] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    params: MultiDict[str, str] = field(default_factory=MultiDict)


def read(sent: MultiDict[str, str], *, ours: Collection[str] = RESERVED) -> Sent:
    """Sort what a page has sent into rows, answers and parameters.

    :param ours: the names of the fields that the form has for itself, such as the token's.
    """
    found = Sent(sent.getlist(ROW))
    for name, value in sent.items(multi=True):
        if name.startswith(ANSWER):
            found.answers[name.removeprefix(ANSWER)] = value
        elif name not in ours:
            found.params.add(name, value)
    return found


def parse_answers(answers: Answers) -> tuple[dict[str, bool], bool | None]:
    """Return the answers by uid, and the one for all other questions.

    :raises UnknownParameter: for what is no answer.
    """
    if answers is None or isinstance(answers, bool):
        return {}, answers
    wrong = [answer for answer in answers.values() if not isinstance(answer, (bool, str)) or answer not in _ANSWERS]
    if wrong:
        raise UnknownParameter(f"An answer must be True, False, 'yes' or 'no', got {wrong[0]!r:.100}")
    return {uid: _ANSWERS[answer] for uid, answer in answers.items()}, None


def is_reserved(name: str) -> bool:
    """Return whether a form of an action's own may not have a field of that name."""
    return name in RESERVED or name.startswith(ANSWER)


def fields_of(form: type[Form] | None) -> dict[str, bool]:
    """Return the names of a form's fields, each with whether it has fields of its own (``address-street``)."""
    return dict(_fields(form)) if form is not None else {}


def _fields(form: type[Form]) -> Iterator[tuple[str, bool]]:
    for name in dir(form):
        member: Any = None if name.startswith("_") else getattr(form, name)
        if hasattr(member, _FIELD):
            yield name, issubclass(member.field_class, (FormField, FieldList))


def check_names(action: Any, params: Mapping[str, Any]) -> None:
    """Refuse parameters that an action does not have.

    :raises UnknownParameter: with the list of those that it has.
    """
    known = fields_of(action.form)
    is_page = isinstance(params, MultiDict)  # code gives such a field one value
    parts = tuple(f"{name}-" for name, has_parts in known.items() if has_parts and is_page)
    unknown = [name for name in params if name not in known and not name.startswith(parts)]
    if unknown:
        raise UnknownParameter(
            f"The action {action.name!r} takes {', '.join(known) or 'no parameters'}; got {', '.join(unknown):.200}."
        )


def fill(action: Any, initial: Mapping[str, Any]) -> Form | None:
    """Return an action's form as its dialog begins."""
    return None if action.form is None else _make(action.form, data=dict(initial))


def validate(action: Any, params: Mapping[str, Any], initial: Mapping[str, Any]) -> Form | None:
    """Return the action's form with the parameters, which it takes; None if it has none.

    :param params: a MultiDict of texts from a page, or values by name from code.
    :param initial: what stands where nothing was given.
    :raises InvalidParameters: with what is wrong.
    """
    if action.form is None:
        return None
    form: Form
    if isinstance(params, MultiDict):
        form = _make(action.form, formdata=params, data=dict(initial))
    else:
        given = {**initial, **params}
        form = _make(action.form, data=given)
        for name in given.keys() & form._fields.keys():
            _mark_as_given(form[name])
    if not form.validate():
        raise InvalidParameters(
            f"The action {action.name!r} does not take the parameters: {form.errors}",
            {str(name or ""): _flat(errors) for name, errors in form.errors.items()},
            form,
        )
    return form


def _make(kind: type[Form], **given: Any) -> Form:
    """Return a form whose own errors are told in the current language, unless it has chosen its languages itself."""
    language = current_language().replace("-", "_")
    if getattr(kind.Meta, "locales", False) is False and _is_translated(language):
        given["meta"] = {"locales": [language]}
    return kind(**given)


@lru_cache(maxsize=64)
def _is_translated(language: str) -> bool:
    try:
        i18n.get_builtin_gnu_translations([language])
    except OSError:
        return False
    return True


def _mark_as_given(field: Any) -> None:
    """Let validators such as InputRequired() see that a value was given, though not as a text from a page."""
    if isinstance(field, (FormField, FieldList)):
        for part in field:
            _mark_as_given(part)
    else:
        field.raw_data = [field.data]


def need_a_row() -> InvalidParameters:
    """Return the error for nothing being selected."""
    text = gettext("Select at least one.")
    return InvalidParameters("An action on selected rows needs at least one, got none.", {ROW: [text]})


def _flat(errors: Any) -> list[str]:
    """Return the texts of the errors of a field that may have fields of its own."""
    if isinstance(errors, Mapping):
        return [text for part in errors.values() for text in _flat(part)]
    if isinstance(errors, (list, tuple)):
        return [text for part in errors for text in _flat(part)]
    return [str(errors)]
