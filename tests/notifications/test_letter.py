"""What a mail says of a run, and that nothing which a job wrote becomes anything but text in it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.mails import IMAGES, pages

from tawny.mail.mail import message_of
from tawny.notifications.delivery import Delivery, EndedRun, Webhook
from tawny.notifications.letter import Desk, letter

ENDED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
RUN_ID, ID = UUID(int=7), UUID(int=9)
DESK = Desk({"invoice_export": "Invoice export"}, "https://jobs.example.com")
SETTINGS = "https://jobs.example.com/teams/acme/settings/mails"
LINKS = [f"https://jobs.example.com/teams/acme/runs/{RUN_ID}", SETTINGS]
WELL_FORMED = re.compile(r"=\?|Bcc:.*\n", re.IGNORECASE)


def run(**changes: Any) -> EndedRun:
    facts: dict[str, Any] = {
        "id": RUN_ID,
        "job_type": "invoice_export",
        "team": "Acme",
        "team_slug": "acme",
        "project": "Web shop",
        "error": None,
        "code": None,
        "progress": {"processed": 30, "total": 120, "message": "Exported 30 of 120"},
        "result": {"exported": 30, "file": "march.csv"},
        "started_at": ENDED - timedelta(seconds=125),
        "completed_at": ENDED,
        "public": "{}",
    }
    return EndedRun(**facts | changes)


def delivery(event: str = "completed", **changes: Any) -> Delivery:
    return Delivery(ID, 1, "mail", event, "ann@example.com", "Acme", ENDED, run(**changes), None)


def message(event: str = "completed", **changes: Any) -> EmailMessage:
    raw = message_of(letter(delivery(event, **changes), DESK), "tawny@mail.example").as_bytes()
    parsed = BytesParser(policy=default).parsebytes(raw)
    assert isinstance(parsed, EmailMessage)
    return parsed


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body
    text: str = body.get_content()
    return text.replace("\r\n", "\n")


class Page(HTMLParser):
    """The tags, the addresses and the text of an HTML mail."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str | None] = []
        self.attributes: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_mail_of_a_run_says_what_ran_how_it_ended_and_where_to_look() -> None:
    mail = letter(delivery(), DESK)
    assert (mail.to, mail.id) == ("ann@example.com", RUN_ID)
    assert mail.subject == "Invoice export completed · Web shop"
    for said in (
        "2 min 5 s",
        "30 of 120 (25 %)",
        "Exported 30 of 120",
        "exported: 30",
        "file: march.csv",
        f"/teams/acme/runs/{RUN_ID}",
    ):
        assert said in mail.text
    assert "2026-03-04 05:06:07 UTC" in mail.text
    for said in ("2 min 5 s", "30 of 120 (25 %)", "Exported 30 of 120", "march.csv", "Web shop", "Acme"):
        assert said in Page(mail.html or "").text
    assert Page(mail.html or "").links == LINKS


def test_a_mail_says_where_its_reader_chooses_what_to_get() -> None:
    assert message()["List-Unsubscribe"] == f"<{SETTINGS}>"
    assert SETTINGS in part(message(), "plain")


def test_an_alert_of_the_operator_has_no_such_page() -> None:
    alert = message("failed", team=None, team_slug=None)
    assert "List-Unsubscribe" not in alert
    assert "Choose what" not in part(alert, "plain") + part(alert, "html")


@pytest.mark.parametrize(("event", "verb"), [("completed", "completed"), ("failed", "failed"), ("cancelled", "was cancelled")])
def test_the_subject_says_how_it_ended(event: str, verb: str) -> None:
    assert letter(delivery(event), DESK).subject == f"Invoice export {verb} · Web shop"


def test_a_failure_says_why() -> None:
    mail = letter(delivery("failed", error="No invoices\nfor 2026-13", result=None), DESK)
    assert "No invoices\nfor 2026-13" in mail.text
    assert "No invoices\nfor 2026-13" in Page(mail.html or "").text
    assert "Result" not in mail.text


def test_a_run_without_anything_to_tell_is_told_of_as_well() -> None:
    changes = dict.fromkeys(("progress", "result", "started_at", "project", "team", "team_slug"))
    mail = letter(delivery("cancelled", **changes), DESK)
    assert "https://" not in mail.text + (mail.html or ""), "a system run has no page"
    assert mail.subject == "Invoice export was cancelled"
    assert "It had not started" in mail.text
    assert "Progress" not in mail.text


def test_of_a_large_result_some_is_shown() -> None:
    mail = letter(delivery(result={f"key{n}": {"a": [1, 2, "x" * 500]} for n in range(30)}), DESK)
    assert "key7" in mail.text
    assert "key8" not in mail.text
    assert "and 22 more" in mail.text
    assert len(mail.text) < 3_000


def test_a_type_that_this_app_does_not_have_is_called_by_its_name() -> None:
    assert letter(delivery(job_type="gone"), DESK).subject.startswith("gone completed")


def test_a_mail_sent_again_has_the_same_id_and_another_run_another() -> None:
    first, again = message(), message()
    assert first["Message-ID"] == again["Message-ID"] == f"<{RUN_ID}@mail.example>"
    assert message(id=UUID(int=8))["Message-ID"] != first["Message-ID"]


def test_a_mail_of_a_webhook_says_which_one_and_why() -> None:
    hook = Webhook(UUID(int=3), "Deploy bot", "json", False, "3 messages in a row were not taken: answer 500", {})
    mail = letter(Delivery(ID, 1, "mail", "webhook_disabled", "ann@example.com", "Acme", ENDED, None, hook, "acme"), DESK)
    assert (mail.subject, mail.id) == ("The webhook Deploy bot was disabled · Acme", ID)
    assert "answer 500" in mail.text
    assert "answer 500" in (mail.html or "")
    link = f"https://jobs.example.com/teams/acme/settings/webhooks/{hook.id}"
    assert link in mail.text
    assert Page(mail.html or "").links == [link]


@pytest.mark.parametrize(("name", "html"), list(pages()), ids=lambda value: value if value.endswith(".html") else "")
def test_the_pictures_are_of_the_mails_that_are_sent(name: str, html: str) -> None:
    assert (IMAGES / name).read_text() == html, "run scripts/mails, and look at them"
    assert (IMAGES / name).with_suffix(".png").stat().st_size < 60_000


INJECTIONS = [
    "x\r\nBcc: eve@example.com\r\n\r\nhello",
    "x\nBcc: eve@example.com",
    "=?utf-8?q?x=0D=0ABcc:_eve=40example.com?=",
    "\x1b[31mred\x1b[0m \u202etxt.exe\u2066 \x00 \ud800",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "</div></td></table><a href='javascript:alert(1)'>click</a>",
    '" onmouseover="alert(1)',
    "{{ 7 * 7 }}{% for x in y %}",
    "x" * 10_000_000,
    "\n.\r\n.\n",
]
NEVER = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


@pytest.mark.parametrize("evil", INJECTIONS, ids=lambda evil: ascii(evil)[:40])
@pytest.mark.parametrize("place", ["error", "message", "key", "value", "project", "team", "label"])
def test_what_a_job_wrote_is_text_and_nothing_else(evil: str, place: str) -> None:
    changes: dict[str, Any] = {
        "error": {"error": evil},
        "message": {"progress": {"processed": 1, "total": 2, "message": evil}},
        "key": {"result": {evil: 1}},
        "value": {"result": {"a": evil}},
        "project": {"project": evil},
        "team": {"team": evil},
        "label": {"job_type": evil},
    }[place]
    plain, found = message("failed"), message("failed", **changes)
    assert sorted(found.keys()) == sorted(plain.keys()), "one set of headers"
    assert [to.addr_spec for to in found["To"].addresses] == ["ann@example.com"]
    html, text = part(found, "html"), part(found, "plain")
    assert not NEVER.search(html + text + found["Subject"])
    page, usual = Page(html), Page(part(message("failed", error="x"), "html"))
    assert set(page.tags) <= set(usual.tags)
    assert set(page.attributes) <= set(usual.attributes)
    assert page.links == LINKS
    assert len(html) + len(text) < 25_000


@given(st.text(st.characters(exclude_categories=()), max_size=300))
def test_no_text_breaks_a_mail(text: str) -> None:
    found = message("failed", error=text, project=text, job_type=text or "x", result={text: text})
    assert [to.addr_spec for to in found["To"].addresses] == ["ann@example.com"]
    assert len(found.keys()) == len(set(found.keys()))
