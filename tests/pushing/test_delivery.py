"""What becomes of a push: taken, repeated, given up, or never sent."""

from __future__ import annotations

from tests.pushing.post_office import PostOffice, states


def test_a_message_is_pushed_to_each_browser_of_its_recipient(office: PostOffice) -> None:
    susan, browsers = office.add("susan", browsers=2)
    bob, (other,) = office.add("bob")

    office.send("Backup finished", susan, body="All of it.", url="/backups")

    assert office.run() == {"sent": 2}
    (message,) = office.messages(susan)
    for browser in browsers:
        (push,) = browser.received
        assert push.payload == {
            "title": "Backup finished",
            "body": "All of it.",
            "url": f"/messages/{message.id}",
            "tag": f"notify-message-{message.id}",
            "id": message.id,
            "badge": 1,
        }
        assert push.claims["sub"] == "mailto:admin@example.org"
        assert push.headers["urgency"] == "normal"
        assert 86_390 <= int(push.headers["ttl"]) <= 86_400
    assert not other.received
    assert not office.pushes(bob)
    assert states(office.pushes(susan)) == ["sent", "sent"]
    assert not office.run()
    assert not office.services[0].complaints
