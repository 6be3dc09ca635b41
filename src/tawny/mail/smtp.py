"""A mail server."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote, urlsplit

import aiosmtplib

from tawny.mail.mail import SENDER, Mail, message_of

SECONDS: Final = 20.0
"""How long one mail may take to be accepted."""

_FOR_GOOD: Final = 500
_PORTS: Final = {"smtp": 587, "smtps": 465}


class Smtp:
    """The mail server at an `smtp://` or `smtps://` url. On `smtp` the connection becomes TLS wherever the server offers that."""

    def __init__(self, url: str, sender: str | None) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or "localhost"
        self._port = parts.port or _PORTS[parts.scheme]
        self._tls = parts.scheme == "smtps"
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._sender = sender or SENDER

    async def send(self, mail: Mail) -> None:
        """Hand the mail over. OSError or aiosmtplib's SMTPException when the server did not take it."""
        await aiosmtplib.send(
            message_of(mail, self._sender),
            hostname=self._host,
            port=self._port,
            username=self._user,
            password=self._password,
            use_tls=self._tls,
            # With a password there has to be TLS; without one, where the server offers it.
            start_tls=True if self._password and not self._tls else None,
            timeout=SECONDS,
        )


def may_have_taken(error: Exception) -> bool:
    """Whether the server may have taken a mail although this was raised: its answer did not arrive, or not in time."""
    return isinstance(
        error, (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPReadTimeoutError, TimeoutError)
    ) and not isinstance(error, aiosmtplib.SMTPConnectError)


def is_refused(error: Exception) -> bool:
    """Whether the server has said that it will not take this mail to this address, then or later (5xx)."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return all(refused.code >= _FOR_GOOD for refused in error.recipients)
    return isinstance(error, aiosmtplib.SMTPDataError) and error.code >= _FOR_GOOD


def code_of(error: Exception) -> int | None:
    """What the server answered, when it did."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return error.recipients[0].code if error.recipients else None
    return error.code if isinstance(error, aiosmtplib.SMTPResponseException) else None
