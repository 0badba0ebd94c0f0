"""Database servers and brokers that the tests own, and what to install where one cannot be had."""

from .base import Server, ServerFailed, Unavailable, free_port
from .databases import DATABASE_NAMES, Database, Databases
from .mariadb import MariaDB
from .postgresql import PostgreSQL
from .rabbitmq import RabbitMQ
from .redis import Redis

__all__ = [
    "DATABASE_NAMES",
    "Database",
    "Databases",
    "MariaDB",
    "PostgreSQL",
    "RabbitMQ",
    "Redis",
    "Server",
    "ServerFailed",
    "Unavailable",
    "free_port",
]
