"""The ready-made Alembic versions of the tables ``notify_*``; see ``flask notify migrations-path``."""
