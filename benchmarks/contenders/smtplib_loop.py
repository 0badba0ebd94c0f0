"""The yardstick of the mails: a loop over ``smtplib`` on one connection, with bytes that are there already."""

from __future__ import annotations

import os
import smtplib
from time import perf_counter

import sqlalchemy as sa


def ready() -> None:
    """Answer as soon as everything is imported."""


def send_mail(after: int) -> dict[str, float]:
    """Send the mails of an outbox whose numbers are higher, and return how many and how many seconds it were."""
    engine = sa.create_engine(os.environ["DATABASE_URL"])
    query = sa.text("SELECT address, content FROM notify_mail WHERE id > :after AND state = 'sent' ORDER BY id")
    with engine.connect() as connection:
        mails = [(address, bytes(content)) for address, content in connection.execute(query, {"after": after})]
    engine.dispose()
    begin = perf_counter()
    with smtplib.SMTP("127.0.0.1", int(os.environ["MAIL_PORT"])) as server:
        for address, content in mails:
            server.sendmail("benchmark@example.com", [address], content)
    return {"sent": len(mails), "seconds": perf_counter() - begin}
