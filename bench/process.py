"""Processes that are measured: started, looked at through /proc, and stopped."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

_TICKS = os.sysconf("SC_CLK_TCK")
_PR_SET_PDEATHSIG = 1
_PATIENCE = 15.0
_libc = ctypes.CDLL(None)


def cpu_seconds(pid: int) -> float:
    """User and system time that this process, with all its threads, has taken so far. Exact to one tick (10 ms)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory(pid: int) -> dict[str, float]:
    """Resident and proportional memory of this process, in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {name: int(value.split()[0]) for name, value in (line.split(":", 1) for line in lines)}
    return {"rss_mb": kilobytes["Rss"] / 1024, "pss_mb": kilobytes["Pss"] / 1024}


def peak_mb(pid: int) -> float:
    """The most resident memory that this process has ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields["VmHWM"].split()[0]) / 1024


class Child:
    """A Python process of ours. It ends with the block, and with this process however that ends."""

    def __init__(
        self, module: str, arguments: Sequence[str] = (), *, environ: Mapping[str, str], folder: Path, given: str = ""
    ) -> None:
        self._module = module
        self._log = folder / f"{module}.{os.urandom(3).hex()}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env=dict(environ),
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        assert self._process.stdin
        with self._process.stdin as stdin:
            stdin.write(given)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def line(self) -> str:
        """The next line that it prints."""
        assert self._process.stdout
        line = self._process.stdout.readline().strip()
        if not line:
            raise RuntimeError(self._complaint())
        return line

    def output(self) -> str:
        """All that it prints until it ends by itself."""
        assert self._process.stdout
        text = self._process.stdout.read()
        if self._process.wait() != 0:
            raise RuntimeError(self._complaint())
        return text

    def require_alive(self) -> None:
        if self._process.poll() is not None:
            raise RuntimeError(self._complaint())

    def stop(self) -> None:
        assert self._process.stdout
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _complaint(self) -> str:
        return f"{self._module} ended too early:\n{self._log.read_text()[-4000:]}"


def _end_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
