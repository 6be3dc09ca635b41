"""Whatever a process prints, and however much of it, its worker takes it in lines and is not kept busy by it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tawny.db.ids import uuid7
from tawny.runs import Claimed
from tawny.workers.child import _name
from tawny.workers.log_buffer import LINES, LogBuffer
from tawny.workers.output import Output


class Pipe:
    """What a process prints into, and the log at the other end."""

    def __init__(self) -> None:
        reading, self.writing = os.pipe()
        os.set_blocking(reading, False)
        self.read_end = os.fdopen(reading, "rb", buffering=0)
        self.logs = LogBuffer(Claimed(uuid7(), 1, "prints", None, None, None, None, None, None))
        self.output = Output(self.read_end, "stdout", 20, self.logs)

    def print(self, *texts: bytes) -> list[str]:
        """Print these one after the other, and return the messages that they make."""
        for text in texts:
            os.write(self.writing, text)
            while self.output.read():
                pass
        batch = self.logs.next(LINES)
        self.logs.stored(batch)
        return [line.message for line in batch.lines]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    os.close(pipe.writing)
    pipe.read_end.close()


@pytest.mark.parametrize(
    ("printed", "messages"),
    [
        ([b"one\ntwo\n"], ["one", "two"]),
        ([b"on", b"e\ntw", b"o\nthree"], ["one", "two"]),
        ([b"windows\r\n\n  \nend\n"], ["windows", "end"]),
        ([b"def f():\n    return 1\n"], ["def f():", "    return 1"]),
        ([b"\xe2\x82", b"\xac\n\xff\x00\n"], ["€", "\ufffd\ufffd"]),
    ],
)
def test_lines_come_whole_however_they_were_written(pipe: Pipe, printed: list[bytes], messages: list[str]) -> None:
    assert pipe.print(*printed) == messages


def test_an_endless_line_is_cut_once_and_what_follows_it_is_read(pipe: Pipe) -> None:
    (endless,) = pipe.print(*[b"x" * 1000] * 100)
    assert len(endless.encode()) == 10_240
    assert pipe.print(b"still\nnext\n") == ["next"]


def test_the_last_line_needs_no_end(pipe: Pipe) -> None:
    assert pipe.print(b"one\nlast") == ["one"]
    pipe.output.end()
    assert pipe.print() == ["last"]


def test_a_full_log_only_counts(pipe: Pipe) -> None:
    assert len(pipe.print(*[b"y\n" * 1000] * 12)) == LINES
    assert pipe.logs.next(1).dropped == 2000


def test_a_signal_without_a_name_has_its_number() -> None:
    assert (_name(11), _name(40)) == ("SIGSEGV", "signal 40")
