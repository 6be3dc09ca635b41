"""Sends mails behind the requests that cause them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from tawny.config import Settings
from tawny.mail.mail import Mail

if TYPE_CHECKING:
    from collections.abc import Sequence

AT_ONCE: Final = 8
WAITING_AT_MOST: Final = 1_000
PAUSES: Final[Sequence[float]] = (1, 5, 20, 60)
"""Seconds before each further try: a code is good for ten minutes, and whoever waits asks for another one sooner."""

log = structlog.get_logger()


class Channel(Protocol):
    """What can take a mail away."""

    async def send(self, mail: Mail) -> None: ...


def channel_of(settings: Settings) -> Channel:
    """Where the settings let mails go: to their mail server, or into the outbox of the state folder."""
    if settings.smtp_url is None:
        from tawny.mail.outbox import Outbox

        return Outbox(settings.data_dir, settings.mail_from)
    from tawny.mail.smtp import Smtp

    return Smtp(settings.smtp_url.get_secret_value(), settings.mail_from)


class Mailer:
    """Sends eight mails at once, each until it is taken or has been tried five times. What waits is lost with the process.

    One that is not taken holds up no other. For what can be asked for again, such as a code. Used from one loop.
    """

    def __init__(self, channel: Channel, pauses: Sequence[float] = PAUSES) -> None:
        self._channel = channel
        self._pauses = pauses
        self._due: asyncio.Queue[tuple[Mail, Sequence[float]]] = asyncio.Queue()
        self._waiting = 0  # those that are due, under way, or put off

    @staticmethod
    def of(settings: Settings) -> Mailer:
        """The mailer that the settings ask for."""
        return Mailer(channel_of(settings))

    def send_soon(self, mail: Mail) -> None:
        """Let the mail be sent. Where a thousand wait already it is dropped, which is logged."""
        if self._waiting >= WAITING_AT_MOST:
            log.error("a mail was dropped: too many wait for the mail server", to=mail.to)
            return
        self._waiting += 1
        self._due.put_nowait((mail, self._pauses))

    async def run(self) -> None:
        """Send what waits, until cancelled."""
        await asyncio.gather(*(self._send_on() for _ in range(AT_ONCE)))

    async def _send_on(self) -> None:
        while True:
            mail, pauses = await self._due.get()
            pause = pauses[0] if pauses else None
            if await self._is_taken(mail, pause) or pause is None:
                self._waiting -= 1
            else:
                asyncio.get_running_loop().call_later(pause, self._due.put_nowait, (mail, pauses[1:]))

    async def _is_taken(self, mail: Mail, pause: float | None) -> bool:
        try:
            await self._channel.send(mail)
        except Exception as error:
            # The error's own words may quote the mail, and a subject may be a code: neither is told.
            log.warning("a mail was not sent", to=mail.to, error=type(error).__name__, again_in=pause)
            return False
        return True
