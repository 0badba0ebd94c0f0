"""django-notifications-hq's ``live_unread_notification_count``, on Django with real sessions.

In its favour: only the middleware that it needs, and connections that are kept.
"""

from __future__ import annotations

import os
from time import perf_counter
from typing import Any

import django
from django.conf import settings
from sqlalchemy.engine import make_url


def _database(url_text: str) -> dict[str, Any]:
    url = make_url(url_text)
    engine = "sqlite3" if url.get_backend_name() == "sqlite" else "postgresql"
    return {
        "ENGINE": f"django.db.backends.{engine}",
        "NAME": url.database,
        "USER": url.username or "",
        "HOST": url.host or "",
        "PORT": url.port or "",
        "CONN_MAX_AGE": None,
    }


settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": _database(os.environ["DATABASE_URL"])},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "notifications",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    ROOT_URLCONF=__name__,
    SECRET_KEY="benchmark",
    USE_TZ=True,
)
django.setup()

# Only a configured Django lets these be imported.
from django.contrib.auth import get_user_model, login  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import transaction  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from notifications.signals import notify  # noqa: E402
from notifications.views import live_unread_notification_count  # noqa: E402


def log_in(request: HttpRequest, key: int) -> HttpResponse:
    """Give the benchmark's client a session."""
    login(request, get_user_model().objects.get(pk=key))
    return HttpResponse()


urlpatterns = [
    path("login/<int:key>", log_in),
    path("notifications", live_unread_notification_count),
]
application = get_wsgi_application()


def create_schema() -> None:
    """Make the tables."""
    call_command("migrate", verbosity=0)


def ready() -> None:
    """Answer as soon as everything is imported."""


def tell(recipients: int) -> float:
    """Notify users in one transaction, which is the fastest way, and return the seconds that it took."""
    users = get_user_model().objects
    begin = perf_counter()
    with transaction.atomic():
        actor = users.get(pk=1)
        notify.send(actor, recipient=users.filter(pk__lte=recipients), verb="begins maintenance at ten o'clock")
    return perf_counter() - begin
