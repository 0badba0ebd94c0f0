"""A worker process that knows its logging by a file, and of the application only that it is imported.

``python -m tests.log_handler.worker CONFIG RECIPIENT WORD``; its database is in the environment.
"""

from __future__ import annotations

import json
import logging.config
import os
import sys
import threading
from pathlib import Path
from typing import Any

from sqlalchemy import select

log = logging.getLogger("worker")


def task(way: str) -> None:
    """Do some work and log it, as the tasks of a queue do: there is no request and no application context."""
    log.info("%s is done", way, extra={"notification": "done", "way": way})


def main(config: str, name: str, word: str) -> None:
    """Log before there is an application, without a context, in a thread, in contexts and in transactions."""
    logging.config.dictConfig(json.loads(Path(config).read_text()))
    task("too early")

    from tests.apps import make_app

    make_app(os.environ["DATABASE_URL"])  # nobody holds it: as if a factory were called twice
    site = make_app(os.environ["DATABASE_URL"])

    @site.notify.on_log("done")
    def tell(record: Any) -> None:
        user = site.db.session.scalars(select(site.User).where(site.User.name == name)).one()
        site.notify.send_notification(user, "done", "%(word)s %(way)s", {"word": word, "way": record.way})

    task("without a context")
    thread = threading.Thread(target=task, args=("in a thread",))
    thread.start()
    thread.join()
    with site.app.app_context():
        task("in a context")
    with site.app.app_context():
        site.db.session.add(site.User(name=f"{word} 1"))
        task("in a transaction")
        site.db.session.commit()
    with site.app.app_context():
        site.db.session.add(site.User(name=f"{word} 2"))
        task("rolled back")
        site.db.session.rollback()
    site.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
