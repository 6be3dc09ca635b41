"""A mail server as a process of its own: it writes down each mail before it says that it has it, so none is forgotten by a kill.

`python -m tests.chaos.postoffice PORT` is the server, `PostOffice` what the harness holds of it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from email.parser import BytesHeaderParser
from email.policy import default
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session
from tests.chaos.ledger import Ledger, write
from tests.chaos.processes import ROOT

HOST = "127.0.0.1"

_SAID = {"completed": "completed", "failed": "failed", "cancelled": "was cancelled"}


class _Office:
    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.original_content or b""
        mail = BytesHeaderParser(policy=default).parsebytes(content)
        run = mail["Message-ID"].strip("<>").partition("@")[0]
        said = next((status for status, verb in _SAID.items() if f" {verb}" in mail["Subject"]), mail["Subject"])
        write(os.environ["LEDGER"], "mail", run=run, said=said, to=envelope.rcpt_tos, pid=os.getpid())
        return "250 OK"


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: SMTP(_Office(), hostname="localhost", loop=loop), HOST, port)
    await asyncio.Event().wait()


class PostOffice:
    """The server at one port, killed and started again."""

    def __init__(self, port: int, ledger: Ledger, log: Path) -> None:
        self._port = port
        self._ledger = ledger
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._one_at_a_time = asyncio.Lock()

    @property
    def url(self) -> str:
        return f"smtp://{HOST}:{self._port}"

    async def open(self) -> None:
        """Start it, and return once it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.postoffice", str(self._port)],
                cwd=ROOT,
                env={**os.environ, "LEDGER": str(self._ledger.path)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        while not await self._answers():
            assert self._process.poll() is None, self._log.read_text()
            await asyncio.sleep(0.02)

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(HOST, self._port)
        except OSError:
            return False
        writer.close()
        return True

    async def away(self, seconds: float) -> None:
        """Kill it, in the middle of whatever it does, and start it again after so long."""
        async with self._one_at_a_time:
            self._ledger.note("mail server down")
            self.close()
            await asyncio.sleep(seconds)
            await self.open()

    def close(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
