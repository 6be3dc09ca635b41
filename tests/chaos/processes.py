"""Tawny's processes, as the harness starts, stops, kills and restarts them: what systemd would do, and what it would not."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic

from tests.chaos.ledger import Ledger

ROOT = Path(__file__).parents[2]

_AGAIN = 0.1
"""Seconds after which a process that has ended is started again."""


class Process:
    """One `tawny` process, started again whenever it ends, until it is told to stay down."""

    def __init__(self, name: str, arguments: Sequence[str], environ: Mapping[str, str], folder: Path, ledger: Ledger) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = [sys.executable, "-m", "tawny", *arguments]
        self._environ = environ
        self._ledger = ledger
        self._born = 0.0
        self._expected = False
        self._stopped = False
        self._down = False
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep())

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    @property
    def age(self) -> float:
        """Seconds since it was started last."""
        return monotonic() - self._born

    @property
    def up(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def stopped(self) -> bool:
        return self._stopped

    async def _keep(self) -> None:
        while not self._down:
            self._born = monotonic()
            self._process = self._launch()
            while self.up:
                await asyncio.sleep(0.01)
            self._stopped = False
            if not self._expected and not self._down:
                self._ledger.note("exit", pid=self.pid, name=self.name, code=self._process.returncode, age=self.age)
            self._expected = False
            if not self._down:
                await asyncio.sleep(_AGAIN)

    def _launch(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=dict(self._environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._ledger.note("born", pid=process.pid, name=self.name)
        return process

    def kill(self) -> None:
        if self.up:
            self._expected = True
            self._ledger.note("kill", pid=self.pid, name=self.name)
            self._signal(signal.SIGKILL)

    def stop(self) -> None:
        if self.up and not self._stopped:
            self._stopped = True
            self._signal(signal.SIGSTOP)
            self._ledger.note("stop", pid=self.pid, name=self.name)

    def go_on(self) -> None:
        if self.up and self._stopped:
            self._stopped = False
            self._ledger.note("cont", pid=self.pid, name=self.name)
            self._signal(signal.SIGCONT)

    def terminate(self) -> None:
        """Ask it to end; the second time, at once."""
        if self.up:
            self._expected = True
            self._ledger.note("term", pid=self.pid, name=self.name)
            self._signal(signal.SIGTERM)

    async def stay_down(self) -> None:
        """End it in good order, and do not start it again."""
        self._down = True
        self.go_on()
        if self.up:
            self._signal(signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(10):
                while self.up:
                    await asyncio.sleep(0.01)
        self.destroy()
        if self._keeper:
            await self._keeper

    def destroy(self) -> None:
        """Whatever happened: leave nothing of it behind."""
        self._down = True
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def memory(self) -> int | None:
        """Its resident memory in bytes."""
        return _field(self.pid, "VmRSS:")

    def files(self) -> int | None:
        """Its open file descriptors."""
        try:
            return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))
        except OSError:
            return None


def _field(pid: int, name: str) -> int | None:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), None)
