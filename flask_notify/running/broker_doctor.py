"""Whether the broker answers, and hints come through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event

from flask import Flask

from ..brokers import Broker, BrokerUnavailable
from ..config import Settings
from ..errors import ConfigurationError
from ..hints.connecting import connector
from ..hints.listener import LATE, Listener
from .finding import Finding

_REMEDY = (
    "Look at NOTIFY_BROKER_URL, and whether the broker runs and lets this account in. Meanwhile pages see their news "
    "with their next poll."
)


def examine_broker(app: Flask, settings: Settings) -> Iterator[Finding]:
    """Yield what there is to say of the broker, if the application has one or needs one."""
    try:
        connect = connector(app)
    except ConfigurationError as error:
        yield Finding("error", "broker", str(error), "Set NOTIFY_BROKER_URL as it is expected.")
        return
    if connect is not None:
        yield from _examine(connect)
    elif settings.stream_url is not None:
        yield Finding(
            "error",
            "broker",
            "there is none, so that the stream is never told of news",
            "Set NOTIFY_BROKER_URL to the address of a RabbitMQ or Redis.",
        )


def _examine(connect: Callable[[], Broker]) -> Iterator[Finding]:
    broker = connect()
    try:
        version = broker.probe()
    except BrokerUnavailable as error:
        yield Finding("error", "broker", f"{broker.address} does not answer: {error}", _REMEDY)
        return
    finally:
        broker.close()
    yield Finding("ok", "broker", f"{broker.address} is {version}")
    if _hears_itself(connect):
        yield Finding("ok", "hints", "what is told is heard")
    else:
        yield Finding("error", "hints", f"what is told is not heard within {LATE:g} seconds", _REMEDY)


def _hears_itself(connect: Callable[[], Broker]) -> bool:
    heard = Event()
    listener = Listener(connect, lambda _: None, lambda live: heard.set() if live else None)
    listener.start()
    try:
        return heard.wait(LATE)
    finally:
        listener.stop(LATE)
