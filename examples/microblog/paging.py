"""Lists that do not fit on one page."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import abort, current_app, request

from .extensions import db


def page_of(query: sa.Select[Any], size_setting: str) -> Any:
    """Load the page that the address asks for; a setting tells how much stands on one."""
    page = max(request.args.get("page", 1, type=int), 1)
    size = current_app.config[size_setting]
    found = db.paginate(query, page=page, per_page=size, error_out=False)
    if page > 1 and not found.items:
        abort(404)
    return found
