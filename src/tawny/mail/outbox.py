"""Where mails go without a mail server: files that the operator can open."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Final

import structlog

from tawny.mail.mail import SENDER, Mail, message_of

FOLDER: Final = "outbox"

log = structlog.get_logger()


class Outbox:
    """The folder `outbox` in the state folder. The newest mail is the last by name."""

    def __init__(self, data_dir: Path, sender: str | None) -> None:
        self._folder = data_dir / FOLDER
        self._sender = sender or SENDER

    async def send(self, mail: Mail) -> None:
        """Write the mail to a file that only this user can read, there whole or not at all, and log its gist."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{token_hex(4)}.eml"
        draft = path.with_suffix(".unfinished")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(message_of(mail, self._sender).as_bytes())
        draft.rename(path)
        log.info(mail.gist, mail=str(path))
