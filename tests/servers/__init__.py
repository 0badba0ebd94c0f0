"""Database servers that the tests own, and what to install where one cannot be had."""

from .base import Server, ServerFailed, Unavailable, free_port
from .databases import DATABASE_NAMES, Database, Databases
from .mariadb import MariaDB
from .postgresql import PostgreSQL

__all__ = [
    "DATABASE_NAMES",
    "Database",
    "Databases",
    "MariaDB",
    "PostgreSQL",
    "Server",
    "ServerFailed",
    "Unavailable",
    "free_port",
]
