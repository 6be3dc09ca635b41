"""A command of Tawny that another one starts: a process of its own with the same settings, which never outlives its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress

from tawny.config import PREFIX, Settings


def child_environ(settings: Settings, **changed: object) -> dict[str, str]:
    """The environment that gives a child the settings of this process, save what is changed.

    Not a command line: every user can read that.
    """
    given = [name for name in Settings.model_fields if settings.source(name) == "command line"]
    shared = {name: str(getattr(settings, name)) for name in given} | {name: str(value) for name, value in changed.items()}
    return {**os.environ, **{f"{PREFIX}{name.upper()}": value for name, value in shared.items()}}


class Child:
    """The process of a command, such as `tawny work`.

    It gets a session of its own, so that Ctrl-C reaches it once, through its parent; and the reading end of a pipe that only this
    process can write to, so that it notices the death of its parent, whatever that was (see `orphan`).
    """

    def __init__(self, process: asyncio.subprocess.Process, lifeline: int) -> None:
        self._process = process
        self._lifeline = lifeline

    @classmethod
    async def start(cls, *command: str, environ: Mapping[str, str]) -> Child:
        reader, writer = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tawny", *command, "--parent-fd", str(reader)),
                env=environ,
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(reader,),
                start_new_session=True,
            )
        finally:
            os.close(reader)
        return cls(process, writer)

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    async def ended(self) -> int:
        """Wait for its end, and return its exit code. To be called once."""
        code = await self._process.wait()
        os.close(self._lifeline)
        return code

    def ask_to_stop(self) -> None:
        """Send SIGTERM: the first one lets runs finish, the second one gives them back at once."""
        if self.running:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, with all that it started."""
        if self.running:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
