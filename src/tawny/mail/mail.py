"""A mail, as something that can be sent."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from typing import Final
from uuid import UUID

SENDER: Final = "tawny@localhost"
"""Who sends where no sender is set."""

_SUBJECT_LIMIT: Final = 200
_CONTROLS: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail to one address, which `access.check_email` has let through: a text, and the same as HTML if that is wanted.

    `gist` is what the operator is told where there is no mail server: the one thing in the mail that somebody waits for. `id` is
    the same for a mail that is sent again, so that whoever gets both can tell; unless given, each sending has another.
    `settings` is the address of the page where whoever gets it says what they want to get; mail programs show it.
    """

    to: str
    subject: str = field(repr=False)
    text: str = field(repr=False)
    gist: str = field(repr=False)
    html: str | None = field(default=None, repr=False)
    id: UUID | None = None
    settings: str | None = None


def message_of(mail: Mail, sender: str) -> EmailMessage:
    """The mail with its headers. Whatever came into the subject, there is one subject and no other header from it."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address("Tawny", addr_spec=sender)
    message["To"] = Address(addr_spec=mail.to)
    message["Subject"] = one_line(mail.subject)
    message["Date"] = format_datetime(datetime.now(UTC))
    domain = sender.rpartition("@")[2]
    message["Message-ID"] = f"<{mail.id}@{domain}>" if mail.id else make_msgid(domain=domain)
    if mail.settings is not None:
        message["List-Unsubscribe"] = f"<{mail.settings}>"
    # Nobody's holiday notice is wanted.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    if mail.html is not None:
        message.add_alternative(mail.html, subtype="html")
    return message


def one_line(text: str) -> str:
    """The text without controls and invisible characters, on one line and not too long for a header.

    What looks like an encoded word (`=?utf-8?q?=0A?=`) is parted: `email` would decode it, line ends and all, as it writes it.
    """
    visible = (" " if unicodedata.category(character) in _CONTROLS else character for character in text[:_SUBJECT_LIMIT])
    return " ".join("".join(visible).replace("=?", "= ?")[:_SUBJECT_LIMIT].split())
