"""PostgreSQL for tests: a server for one test process, and processes that own one and can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from tawny.db import embedded

# A test's rows need not survive the power cut that the disk would be waited for.
FAST = {"fsync": "off", "full_page_writes": "off"}


@contextmanager
def temporary_server() -> Iterator[str]:
    """The address of a PostgreSQL of this process alone, up in under a second. It dies with the process, even by kill -9."""
    with tempfile.TemporaryDirectory(prefix="tawny-test-") as folder, embedded.own(Path(folder), settings=FAST) as owned:
        yield owned.url


def eventually(fact: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until `fact()` is true; fail if it is not within `seconds`."""
    deadline = monotonic() + seconds
    while not fact():
        assert monotonic() < deadline, f"not true within {seconds} seconds"
        sleep(0.01)


def alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


_OWN = """
import sys
from pathlib import Path
from tawny.db import embedded
{first}
with embedded.own(Path(sys.argv[1]), **{options}) as owned:
    print(owned.url, flush=True)
    sys.stdin.read()
"""


# Not the standard library's folders: another Python has its own.
_OUR_PATH = [path for path in sys.path if path and not Path(path).is_relative_to(sys.base_prefix)]


class OwnerProcess:
    """A process that owns the database of a state folder until it is told to `finish`, or killed.

    `first` is Python that it runs before; `who` are further arguments of Popen, such as another user.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        first: str = "",
        options: Mapping[str, object] | None = None,
        python: Sequence[str] = (sys.executable,),
        **who: object,
    ) -> None:
        self.data_dir = data_dir
        self.process: subprocess.Popen[str] = subprocess.Popen(  # type: ignore[call-overload]
            [*python, "-c", _OWN.format(first=first, options=dict(options or {})), str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env={"PYTHONPATH": os.pathsep.join(_OUR_PATH), "PATH": os.defpath},
            **who,
        )

    def __enter__(self) -> OwnerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream
            stream.close()

    def wait_until_ready(self) -> str:
        """Its url, once the database is up; fails with what the process said if it ends instead."""
        assert self.process.stdout
        url = self.process.stdout.readline().strip()
        assert url, self.complaint()
        return url

    def complaint(self) -> str:
        """What the process wrote as it ended."""
        assert self.process.stderr
        return self.process.stderr.read()

    def postgres(self) -> int:
        """The pid of its PostgreSQL."""
        return postmaster(self.data_dir)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def finish(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


@contextmanager
def neighbour(data_dir: Path) -> Iterator[int]:
    """The pid of a living process that runs as PostgreSQL's user: the only kind it would mistake for a PostgreSQL."""
    who = (data_dir / "postgres/data").stat().st_uid
    process = subprocess.Popen(["sleep", "600"], user=who if os.geteuid() == 0 else None)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres/data/postmaster.pid").read_text().split()[0])
