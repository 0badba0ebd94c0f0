"""Somebody at a browser without JavaScript: opens pages, fills in their forms, and polls."""

from __future__ import annotations

import re
from typing import Any, cast

from flask import Flask
from werkzeug.test import TestResponse

PASSWORD = "correct horse"


class Visitor:
    """One session with the application."""

    def __init__(self, app: Flask, username: str = "") -> None:
        self.client = app.test_client()
        self.username = username

    def open(self, path: str, status: int = 200) -> str:
        """Open a page that answers with *status*; return its HTML."""
        response = self.client.get(path)
        assert response.status_code == status, response.text
        return response.text

    def visit(self, path: str, status: int = 200) -> TestResponse:
        """Go to a page as a person does, who follows a link: browsers say so in headers."""
        headers = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        response = self.client.get(path, headers=headers)
        assert response.status_code == status, response.text
        return response

    @property
    def session(self) -> str:
        """The value of the session's cookie."""
        cookie = self.client.get_cookie("session")
        assert cookie
        return cookie.value

    def write_to(self, username: str, text: str) -> TestResponse:
        """Write a private message."""
        return self.send(f"/send_message/{username}", body=text)

    @property
    def unread(self) -> int:
        """How many messages are new."""
        return int(self.live("unread_message_count") or 0)

    def messages(self, **filters: str) -> list[dict[str, Any]]:
        """Return the newest messages, without the welcome that everybody gets."""
        response = self.client.get("/messages", query_string=filters, headers={"Accept": "application/json"})
        assert response.status_code == 200, response.text
        messages = cast("dict[str, Any]", response.json)["messages"]
        return [message for message in messages if not message["subject"].startswith("Welcome")]

    def send(self, page: str, action: str | None = None, **fields: Any) -> TestResponse:
        """Fill in the form of a page and send it, with its CSRF token, to *action* (by default the page)."""
        return self.client.post(action or page, data={"csrf_token": self.token(page), **fields})

    def token(self, page: str) -> str:
        """Return the CSRF token of the first form on a page."""
        found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', self.open(page))
        assert found, f"no form on {page}"
        return found[1]

    def register(self) -> Visitor:
        """Make an account and come in."""
        answer = self.send(
            "/register",
            username=self.username,
            email=f"{self.username}@example.org",
            password=PASSWORD,
            repeated=PASSWORD,
        )
        assert answer.status_code == 302, answer.text
        return self

    def log_in(self, password: str = PASSWORD, page: str = "/login", **fields: Any) -> TestResponse:
        """Come in with the account that is there."""
        return self.send(page, username=self.username, password=password, **fields)

    def post(self, body: str) -> TestResponse:
        """Write a post."""
        return self.send("/", body=body)

    def open_thread(self, title: str, **values: str) -> str:
        """Open a thread; return the address of its page."""
        values = {"body": "What do you think?", "topic": "TALK", "visibility": "everybody", **values}
        answer = self.send("/threads/new", title=title, **values)
        assert answer.status_code == 302, answer.text
        return answer.location

    def do(self, action: str, page: str, **fields: Any) -> TestResponse:
        """Run an action, as a form on a page does."""
        return self.send(page, f"/actions/{action}", next=page, **fields)

    def download(self, path: str) -> TestResponse:
        """Fetch a file, whole."""
        response = self.client.get(path)
        response.get_data()
        response.close()
        return response

    def follow(self, username: str) -> TestResponse:
        """Press the button on somebody's profile."""
        return self.send(f"/user/{username}", f"/user/{username}/follow")

    def unfollow(self, username: str) -> TestResponse:
        """Press the other button on somebody's profile."""
        return self.send(f"/user/{username}", f"/user/{username}/unfollow")

    def poll(self, since: float = 0) -> list[dict[str, Any]]:
        """Ask for the live values."""
        response = self.client.get("/notifications", query_string={"since": since})
        assert response.status_code == 200, response.text
        return cast("list[dict[str, Any]]", response.json)

    def live(self, name: str) -> Any:
        """Return a live value, or None while there is none."""
        return next((item["data"] for item in self.poll() if item["name"] == name), None)

    def badge(self, name: str, page: str = "/explore") -> str:
        """Return the text of a badge, as a page shows it before any script runs."""
        found = re.search(rf'data-notify-badge="{name}"[^>]*>\s*([^<]*?)\s*<', self.open(page))
        assert found, f"no badge {name} on {page}"
        return found[1]
