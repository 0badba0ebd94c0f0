"""A client that polls as the Mega-Tutorial's does, and keeps what it was told."""

from __future__ import annotations

from typing import Any

from tests.apps import Site


class Poller:
    """Polls with the newest timestamp it was given, and ends in what it believes to be the state."""

    def __init__(self, site: Site, key: Any, since: float = 0.0) -> None:
        self.client = site.client(key)
        self.since = since
        self.state: dict[str, Any] = {}
        self.told: list[tuple[str, float]] = []

    def poll(self) -> list[dict[str, Any]]:
        """Poll once, as long as there is news; return the items."""
        answer = self.client.get(f"/notifications?since={self.since!r}")
        assert answer.status_code == 200, answer.text
        if "X-Notify-Reset" in answer.headers:
            self.state.clear()
            self.since = 0.0
        items: list[dict[str, Any]] = answer.json or []
        for item in items:
            self.told.append((item["name"], item["timestamp"]))
            self.since = item["timestamp"]
            if item.get("removed"):
                self.state.pop(item["name"], None)
            else:
                self.state[item["name"]] = item["data"]
        return items
