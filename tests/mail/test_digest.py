"""What is due goes out as one mail, to those who have not seen it."""

from __future__ import annotations

from tests.mail.office import Office, parsed, text_of
from tests.servers.smtp import SMTPServer


def test_what_is_still_unseen_after_the_delay_goes_out_in_one_mail(office: Office, smtp: SMTPServer) -> None:
    susan = office.add("susan")
    office.send("Backup finished", susan)
    office.send("Disk nearly full", susan)

    office.now += 299
    office.run()
    early = list(smtp.received)
    office.now += 1
    office.run()
    office.run()

    assert early == []
    (content,) = smtp.to("susan@example.org")
    assert parsed(content)["Subject"] == "2 notifications"
    assert text_of(content) == "Dear susan,\n- Disk nearly full\n- Backup finished\n"
    (mail,) = office.mails()
    assert (mail.state, mail.sent_at, mail.attempts, mail.content) == ("sent", office.now, 1, content)
    assert [(message.sent_at, message.mail_id, message.mail_due_at) for message in office.messages(susan)] == [
        (office.now, mail.id, None)
    ] * 2
    assert office.due_at(susan) is None
