"""Deliver by mail."""

from __future__ import annotations

from time import monotonic
from typing import Final

from tawny import mail
from tawny.notifications.delivery import Delivery, Outcome
from tawny.notifications.letter import Desk, letter

REFUSALS: Final = 5
"""Tries after which a mail is given up that the server refuses: the first refusals may be a mistake of its operator."""


class ByMail:
    """Hands mails to a mail server, or to the outbox."""

    at_once = 8

    def __init__(self, channel: mail.Channel, desk: Desk) -> None:
        self._channel = channel
        self._desk = desk

    async def __call__(self, delivery: Delivery) -> Outcome:
        """Send the mail, and say what became of that."""
        begun = monotonic()
        try:
            await self._channel.send(letter(delivery, self._desk))
        except OSError as error:
            return _failed(delivery, error, monotonic() - begun)
        except Exception as error:
            if not type(error).__module__.startswith("aiosmtplib"):
                raise
            return _failed(delivery, error, monotonic() - begun)
        return Outcome(taken=True, seconds=monotonic() - begun)


def _failed(delivery: Delivery, error: Exception, seconds: float) -> Outcome:
    from tawny.mail.smtp import code_of, is_refused, may_have_taken

    return Outcome(
        taken=False,
        seconds=seconds,
        hopeless=is_refused(error) and delivery.tries >= REFUSALS,
        unsure=may_have_taken(error),
        status=code_of(error),
        # The error's own words may quote the mail.
        error=type(error).__name__,
    )
