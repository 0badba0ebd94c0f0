"""The types of the columns.

They are SQLAlchemy's own and no decorators, so that a migration which an application generates
stands by itself: Alembic writes a foreign type without its import. Times are stored as Unix
seconds in a double, which holds microseconds on every database, and read as aware datetimes
through :func:`aware_time`.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, TypeAlias

from sqlalchemy import BigInteger, Integer, LargeBinary, String, Text
from sqlalchemy.dialects.mysql import LONGBLOB, LONGTEXT, VARCHAR
from sqlalchemy.ext.hybrid import Comparator, hybrid_property

RecipientKey: TypeAlias = Any
"""A value of the user model's primary key: an int, a UUID or a str."""

MAX_NAME = 128
MAX_TYPE = 64
MAX_SUBJECT = 250
MAX_URL = 2000
MAX_TARGET_TYPE = 128
MAX_TARGET_ID = 255
MAX_REASON = 500

_binary_name = VARCHAR(MAX_NAME, charset="utf8mb4", collation="utf8mb4_bin")
NAME_TYPE = String(MAX_NAME).with_variant(_binary_name, "mysql", "mariadb")
_binary_model = VARCHAR(MAX_TARGET_TYPE, charset="utf8mb4", collation="utf8mb4_bin")
_binary_key = VARCHAR(MAX_TARGET_ID, charset="utf8mb4", collation="utf8mb4_bin")
TARGET_TYPE_TYPE = String(MAX_TARGET_TYPE).with_variant(_binary_model, "mysql", "mariadb")
TARGET_ID_TYPE = String(MAX_TARGET_ID).with_variant(_binary_key, "mysql", "mariadb")
TEXT_TYPE = Text().with_variant(LONGTEXT(), "mysql", "mariadb")
JSON_TEXT_TYPE = TEXT_TYPE
BYTES_TYPE = LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")
# SQLite numbers only INTEGER keys by itself; they hold 64 bits.
ID_TYPE = BigInteger().with_variant(Integer(), "sqlite")
MODE_TYPE = String(8)


def aware_time(attribute: str) -> hybrid_property[Any]:
    """Return a property that reads Unix seconds as an aware datetime in UTC.

    It compares with aware datetimes in queries, too: ``Message.created_at >= yesterday``.
    """

    def read(self: Any) -> datetime | None:
        seconds = getattr(self, attribute)
        return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)

    def compare(cls: Any) -> _AwareTime:
        return _AwareTime(getattr(cls, attribute))

    return hybrid_property(read).comparator(compare)


class _AwareTime(Comparator[Any]):
    """Compares seconds with datetimes."""

    def operate(self, op: Any, *other: Any, **kwargs: Any) -> Any:
        return op(self.__clause_element__(), *map(_seconds, other), **kwargs)


def _seconds(value: Any) -> Any:
    return value.timestamp() if isinstance(value, datetime) else value
