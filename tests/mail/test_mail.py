"""A mail's headers say what they are meant to, whatever came into it."""

from __future__ import annotations

import re
from email import policy
from email.errors import HeaderDefect, HeaderParseError
from email.message import EmailMessage
from email.parser import BytesParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tawny.access import check_email
from tawny.errors import InvalidRequest
from tawny.mail import Mail
from tawny.mail.mail import message_of, one_line

SENDER = "tawny@mail.example"
HEADERS = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"}
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)


def read(message: EmailMessage) -> str:
    """The text, with the line ends of this machine."""
    text: str = message.get_content()
    return text.replace("\r\n", "\n")


def sent(to: str = "ann@example.com", subject: str = "A subject", text: str = "A text\n") -> EmailMessage:
    """The message as whoever gets it reads it."""
    raw = message_of(Mail(to, subject, text, "a gist"), SENDER).as_bytes()
    assert b"\n" not in raw.replace(b"\r\n", b""), "every line ends as SMTP wants it"
    parsed = BytesParser(policy=policy.default).parsebytes(raw)
    assert isinstance(parsed, EmailMessage)
    return parsed


def test_a_mail_has_one_sender_one_address_and_what_was_written() -> None:
    message = sent()
    assert set(message.keys()) - {"Content-Transfer-Encoding"} == HEADERS
    assert len(message.keys()) == len(set(message.keys()))
    assert str(message["From"]) == f"Tawny <{SENDER}>"
    assert str(message["To"]) == "ann@example.com"
    assert message["Subject"] == "A subject"
    assert message["Message-ID"].endswith("@mail.example>")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "text/plain"
    assert read(message) == "A text\n"


INJECTIONS = [
    "x\r\nBcc: eve@example.com",
    "x\nBcc: eve@example.com",
    "x\rBcc: eve@example.com",
    "x\r\n\r\nAnother text",
    "x\r\n Bcc: eve@example.com",
    "x\u2028Bcc: eve@example.com",
    "x\u2029Bcc: eve@example.com",
    "x\x85Bcc: eve@example.com",
    "x\x0bBcc: eve@example.com",
    "x\x0cBcc: eve@example.com",
    "x\x1cBcc: eve@example.com",
    "x\0Bcc: eve@example.com",
    "\u202ex\u2066",
    "x\u200b\ufeff",
    "x\ud800",
    "=?utf-8?q?x=0D=0ABcc:_eve=40example.com?=",
    "x" * 5_000,
    "ß" * 5_000,
    "x" * 190 + "\r\nBcc: eve@example.com",
]


@pytest.mark.parametrize("subject", INJECTIONS, ids=lambda subject: ascii(subject)[:60])
def test_nothing_but_a_subject_comes_of_a_subject(subject: str) -> None:
    message = sent(subject=subject)
    assert set(message.keys()) - {"Content-Transfer-Encoding"} == HEADERS
    assert len(message.keys()) == len(set(message.keys()))
    assert [address.addr_spec for address in message["To"].addresses] == ["ann@example.com"]
    assert read(message) == "A text\n"
    assert "Bcc" not in message
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200b\u2028\u2029\u202e\u2066\ufeff\ud800-\udfff]", one_line(subject))


@given(ANY_TEXT)
@example("=?utf-8?q?x=0A?=")
@example("=\u200b?utf-8?q?x=0A?=")
@example("==??utf-8?q?x=0A?=")
@example("=?" * 200)
@example("\ud83d\udc4d")
def test_no_subject_breaks_the_headers(subject: str) -> None:
    message = sent(subject=subject)
    assert set(message.keys()) - {"Content-Transfer-Encoding"} == HEADERS
    assert read(message) == "A text\n"
    assert len(one_line(subject)) <= 200
    assert one_line(subject) == " ".join(one_line(subject).split())


@given(st.text(st.sampled_from("abc 123 '’éß漢字👍.,:;<>@\"()"), max_size=200))
def test_a_subject_is_read_as_it_was_written(subject: str) -> None:
    assert sent(subject=subject)["Subject"] == one_line(subject)


@given(st.text(st.sampled_from("aZ0!#$%&'*+/=?^_`{|}~.-@"), max_size=80) | st.emails())
@example("=?utf-8?q?ben?=@example.com")
@example("ann.=?utf-8?q?ben?=@example.com")
@example("a" * 64 + "@" + ".".join(["b" * 60] * 3))
@example("{a}|b@x")
def test_a_mail_goes_to_exactly_the_address_that_was_let_through(text: str) -> None:
    try:
        address = check_email(text)
    except InvalidRequest:
        return
    message = sent(to=address)
    assert str(message["To"]) == address
    assert [to.addr_spec for to in message["To"].addresses] == [address]


@pytest.mark.parametrize("to", ["ann@example.com\r\nBcc: eve@example.com", "ann@example.com, eve@example.com", "Ann <a@b>"])
def test_what_is_no_address_makes_no_mail(to: str) -> None:
    with pytest.raises((HeaderDefect, HeaderParseError, ValueError)):
        message_of(Mail(to, "A subject", "A text", "a gist"), SENDER)


@pytest.mark.parametrize(
    "text", ["Über uns — 漢字 👍\n", "\u202eturned\n", "x" * 3_000 + "\n", ".\r\n.\n", "From here\n", "\n\nBcc: x\n"]
)
def test_a_text_is_read_as_it_was_written(text: str) -> None:
    assert read(sent(text=text)) == text.replace("\r\n", "\n")


def test_what_is_in_a_mail_does_not_show_when_it_is_printed() -> None:
    shown = repr(Mail("ann@example.com", "123456 is your code", "Your code is 123456", "code of ann: 123456"))
    assert "ann@example.com" in shown
    assert "123456" not in shown
