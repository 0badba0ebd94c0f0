"""Redis, by kombu's Redis library: its publish and subscribe, and lists as kombu keeps its queues."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..errors import ConfigurationError
from .base import HINTS, TICK, WINDOW, Broker, BrokerUnavailable, Letter, LetterRefused, masked

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError, ResponseError
    from redis.retry import Retry
except ImportError:
    raise ConfigurationError(
        "A broker at redis:// needs kombu's library for it, which is not installed: pip install flask-notify[redis]"
    ) from None


class Redis(Broker):
    """Redis: it confirms what it has in memory; how much of that outlives a crash is its own setting.

    kombu's own channel is not used: it does not tell when a subscription has begun.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self.address = masked(url)
        self._timeout = timeout
        # Not every version of the library does so by itself.
        tls = {"ssl_check_hostname": True} if url.startswith("rediss:") else {}
        try:
            self._client: Any = redis.Redis.from_url(
                url,
                socket_timeout=timeout,
                socket_connect_timeout=timeout,
                socket_keepalive=True,
                # When to try again is for the caller to say.
                retry=Retry(NoBackoff(), 0),
                **tls,
            )
        except ValueError:
            raise ConfigurationError(f"The address of the broker cannot be read: {self.address}") from None

    def publish(self, hint: bytes) -> None:
        """Publish on the channel of hints of the database."""
        with self._translated():
            self._client.publish(self._channel(), hint)

    def listen(self, heard: Callable[[bytes], None], stop: Callable[[], bool], ready: Callable[[], None]) -> None:
        """Listen on the channel of hints of the database."""
        with self._translated():
            subscription = self._client.pubsub()
            subscription.subscribe(self._channel())
        try:
            asked, told = None, time.monotonic()
            while not stop():
                with self._translated():
                    message = subscription.get_message(timeout=TICK)
                    now = time.monotonic()
                    if message is not None:
                        asked, told = None, now
                    elif now > (asked or told) + self._timeout:
                        if asked is not None:
                            raise BrokerUnavailable(f"Redis at {self.address} has fallen silent")
                        asked = now
                        subscription.ping()
                if message is not None and message["type"] == "subscribe":
                    ready()
                elif message is not None and message["type"] == "message":
                    heard(message["data"])
        finally:
            subscription.close()

    def deliver(self, letters: Sequence[Letter]) -> None:
        """Push the letters onto the lists that kombu's consumers pop them from."""
        for start in range(0, len(letters), WINDOW):
            queues: dict[str, list[Letter]] = {}
            for letter in letters[start : start + WINDOW]:
                queues.setdefault(letter.queue, []).append(letter)
            with self._translated():
                self._push(queues)

    def probe(self) -> str:
        """Ask for the version."""
        with self._translated():
            try:
                return f"Redis {self._client.info('server')['redis_version']}"
            except ResponseError:
                # Not every account may ask for it.
                self._client.ping()
                return "Redis"

    def close(self) -> None:
        """Close the connections, if there are any."""
        self._client.connection_pool.disconnect()

    def _channel(self) -> str:
        # Channels are the whole server's, whichever database it is that publishes.
        return f"{self._client.get_connection_kwargs().get('db') or 0}.{HINTS}"

    def _push(self, queues: dict[str, list[Letter]]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for name, letters in queues.items():
            # One command for each queue: its letters are taken all, or none of them.
            pipeline.lpush(name, *(_message(letter) for letter in letters))
            pipeline.pexpire(name, max(1, round(1000 * max(letter.expires_in for letter in letters))))
        # Not raised by the library, which would put the letter into the error's text.
        answers = pipeline.execute(raise_on_error=False)
        for name, answer in zip(queues, answers[::2], strict=True):
            if isinstance(answer, ResponseError):
                if str(answer).startswith("WRONGTYPE"):
                    raise LetterRefused(f"Redis at {self.address} has a key of that name that is no list", name)
                raise answer

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            raise BrokerUnavailable(f"Redis at {self.address} is unavailable: {error}") from error


def _message(letter: Letter) -> str:
    """Return the letter as kombu writes it, with the body as plain text."""
    properties: dict[str, Any] = {
        "message_id": letter.id,
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": letter.queue},
        "delivery_tag": letter.id,
        "priority": 0,
    }
    return json.dumps(
        {
            "body": letter.body.decode(),
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": {},
            "properties": properties,
        }
    )
