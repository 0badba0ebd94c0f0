"""What the processes of the tests need, imported and mapped once, before they are forked from here."""

from __future__ import annotations

import gc
from importlib import import_module
from importlib.util import find_spec

from sqlalchemy import create_engine

from tests.apps import ModelSet
from tests.concurrency import movers, writers
from tests.hints import served
from tests.mail import office
from tests.mail import workers as mailing
from tests.pushing import post_office
from tests.pushing import workers as pushing
from tests.relaying import dying
from tests.scheduling import application

WORK = (movers, writers, mailing, pushing, dying, application, served)
DRIVERS = {"sqlite3": "sqlite://", "psycopg": "postgresql+psycopg://", "pymysql": "mariadb+pymysql://"}

# What `flask` and `gunicorn` import when they begin, and an application when it meets its broker.
COMMANDS = (
    "flask.cli",
    "flask_notify.cli",
    "apscheduler.schedulers.background",
    "gunicorn.app.wsgiapp",
    "gunicorn.workers.sync",
    "kombu.messaging",
    "amqp",
    "redis",
)

for _name in COMMANDS:
    if find_spec(_name.partition(".")[0]) is not None:
        import_module(_name)
for _module, _url in DRIVERS.items():
    if find_spec(_module) is not None:
        create_engine(_url)
for _attributes in (None, office.addressed, post_office.active, application.addressed):
    ModelSet.take("integer", "legacy", _attributes).give_back()
# Neither looked at nor copied by the processes, which would otherwise do so at each collection.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 50)
