"""Templates that are compiled once for all applications of a run, and not once for each."""

from __future__ import annotations

from types import CodeType

from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket


class CompiledOnce(BytecodeCache):
    """Keeps what templates became, by their text and by what their environment makes of it."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def get_bucket(self, environment: Environment, name: str, filename: str | None, source: str) -> Bucket:
        """Return what is known of a template; other extensions make another one of the same text."""
        extensions = sorted(environment.extensions)
        newstyle = getattr(environment, "newstyle_gettext", None)
        return super().get_bucket(environment, f"{name} {extensions} {newstyle}", filename, source)

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give a template what it became before."""
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what a template has become."""
        assert bucket.code
        self._codes[bucket.key, bucket.checksum] = bucket.code
