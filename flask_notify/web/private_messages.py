"""``/send_message/<recipient>``: one user writes to another; and who wants nothing from whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from flask import Blueprint, current_app, flash, jsonify, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from ..language import gettext
from ..messages.message_types import Private, name_of
from ..recipient import RecipientMixin, models_of
from .access import commit, for_recipients, go_back, refuse, settings, wants_json
from .csrf import is_of_another, protected, user_field
from .forms import PrivateMessageForm
from .hooks import Hooks, ask_before_private_message, find_user
from .parts import frame
from .poll import recipient_key


def add_routes(blueprint: Blueprint) -> None:
    """Add the form, and the blocking of senders."""
    add: Callable[..., None] = blueprint.add_url_rule
    # A name may have a slash in it.
    add("/send_message/<path:recipient>", endpoint="send_message", view_func=send_message, methods=["GET", "POST"])
    add("/senders/<path:sender>/block", endpoint="block_sender", view_func=block_sender, methods=["POST"])
    add("/senders/<path:sender>/unblock", endpoint="unblock_sender", view_func=unblock_sender, methods=["POST"])


@for_recipients
def send_message(user: RecipientMixin, recipient: str) -> ResponseReturnValue:
    """Show the form, and send what was written (the Flask Mega-Tutorial, part XXI)."""
    other = find_user(_hooks(), recipient)
    if not isinstance(other, RecipientMixin):
        return refuse(404, f"There is no user {recipient!r}."[:300])
    refusal = _refusal(user, other)
    if refusal is not None:
        return refusal
    form = PrivateMessageForm(settings().private_message_length)
    if form.validate_on_submit():
        ask_before_private_message(_hooks(), user, other)
        return _send(user, other, form.body.data)
    return _ask(form, other)


def _refusal(user: RecipientMixin, other: RecipientMixin) -> ResponseReturnValue | None:
    if is_of_another():
        return refuse(409, "This page was made for another account. Reload it, and write from the one that is meant.")
    if recipient_key(other) == recipient_key(user):
        return refuse(400, "Private messages are for others: you cannot write to yourself.")
    return _refuse_undeliverable(other) if _blocks(other, user) else None


def _ask(form: PrivateMessageForm, other: RecipientMixin) -> ResponseReturnValue:
    if wants_json():
        wrong = [str(text) for texts in form.errors.values() for text in texts]
        return refuse(400, " ".join(wrong) or "A POST with the field body was expected, got a GET.")
    page = render_template(
        "notify/send_message.html",
        form=form,
        longest=settings().private_message_length,
        recipient_name=name_of(other),
        whose=user_field(),
        **frame(),
    )
    return page, 400 if form.is_submitted() else 200


def _send(user: RecipientMixin, other: RecipientMixin, text: str) -> ResponseReturnValue:
    sent = cast(Any, _hooks()).send(Private(sender=user, text=text), to=other)
    commit(user)
    if not sent:  # the recipient wants no messages of this type
        return _refuse_undeliverable(other)
    if wants_json():
        return jsonify(sent=True), 201
    flash(gettext("Your message to %(name)s was sent.", name=name_of(other)))
    return redirect(url_for("notify.messages"), 303)


def _refuse_undeliverable(other: RecipientMixin) -> ResponseReturnValue:
    # The same words whatever the reason: who has blocked whom is nobody else's business.
    return refuse(403, f"{name_of(other)} does not take private messages from you. Nothing was sent.")


@for_recipients
@protected
def block_sender(user: RecipientMixin, sender: str) -> ResponseReturnValue:
    """Take no more private messages from a user."""
    return _change(user, sender, user.block_sender)


@for_recipients
@protected
def unblock_sender(user: RecipientMixin, sender: str) -> ResponseReturnValue:
    """Take private messages from a user again."""
    return _change(user, sender, user.unblock_sender)


def _change(user: RecipientMixin, sender: str, change: Callable[[Any], object]) -> ResponseReturnValue:
    other = find_user(_hooks(), sender)
    if not isinstance(other, RecipientMixin):
        return refuse(404, f"There is no user {sender!r}."[:300])
    if recipient_key(other) == recipient_key(user):
        return refuse(400, "You cannot block yourself.")
    change(other)
    commit(user)
    blocked = _blocks(user, other)
    if wants_json():
        return jsonify(blocked=blocked)
    told = "%(name)s can no longer write to you." if blocked else "%(name)s can write to you again."
    flash(gettext(told, name=name_of(other)))
    return go_back(url_for("notify.messages"))


def _blocks(recipient: RecipientMixin, sender: RecipientMixin) -> bool:
    models = models_of(recipient)
    block = models.block.c
    found = select(block.sender_id).where(
        block.recipient_id == recipient_key(recipient), block.sender_id == recipient_key(sender)
    )
    return models.db.session.scalar(found, bind_arguments={"clause": models.inbox}) is not None


def _hooks() -> Hooks:
    return cast(Hooks, current_app.extensions["notify"].notify)
