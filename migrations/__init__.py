"""Alembic migrations of the tables ``notify_*``; they ship as ``flask_notify.migrations``."""
