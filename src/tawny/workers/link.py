"""The process's end of the channel: what the worker says is heeded at once, what the handler reports is passed on."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import asdict
from itertools import count
from time import sleep
from typing import Any, Final

from tawny.errors import LeaseLost
from tawny.jobs import as_stored
from tawny.runs import Finish
from tawny.workers.attempt import Attempt, Checkpoint
from tawny.workers.channel import Channel, Message
from tawny.workers.handover import Handover
from tawny.workers.log_buffer import LINES

_BEAT: Final = 0.2
"""Seconds between two reports of progress."""


class Granted:
    """What stands for the lease: until when the worker says that this attempt may act."""

    __slots__ = ("deadline",)

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline


class LinkedAttempt(Attempt):
    """An attempt in its own process.

    Each line of its log is on its way before the handler goes on: its next step may be its last.
    """

    __slots__ = ("_link",)

    def __init__(self, handover: Handover, link: Link) -> None:
        super().__init__(handover.claimed, link.granted, link.ask_for)
        self._link = link

    def add_log_line(self, level: int, message: str, fields_json: str | None) -> None:
        super().add_log_line(level, message, fields_json)
        self._link.pass_lines_on()


class Link:
    """Serves one attempt, in threads of its own: a handler may block its loop."""

    def __init__(self, channel: Channel, messages: Iterator[Message], handover: Handover) -> None:
        self._channel = channel
        self._messages = messages
        self._checkpoints: dict[int, Checkpoint] = {}
        self._numbers = count(1)
        self._guard = threading.Lock()
        self._dropped = handover.claimed.logs_dropped
        self.granted = Granted(handover.deadline)
        self.attempt = LinkedAttempt(handover, self)

    def open(self) -> None:
        for work in (self._listen, self._report_for_ever):
            threading.Thread(target=work, name="tawny-link", daemon=True).start()

    # From the worker

    def _listen(self) -> None:
        try:
            for kind, value in self._messages:
                self._heed(kind, value)
        finally:
            # The worker is gone, or cannot be understood: nobody can stop this process any more, or what it has started.
            os.killpg(0, signal.SIGKILL)

    def _heed(self, kind: str, value: Any) -> None:
        match kind:
            case "deadline":
                self.granted.deadline = value
            case "cancel":
                self.attempt.cancel_requested = True
            case "saved":
                number, refused = value
                self._answer(self._checkpoints.pop(number), refused)

    def _answer(self, checkpoint: Checkpoint, refused: str | None) -> None:
        if refused is None:
            return checkpoint.stored.set_result(None)
        self.attempt.taken_away = True
        return checkpoint.stored.set_exception(LeaseLost(refused))

    # To the worker

    def began(self) -> None:
        """The handler is about to begin."""
        self._channel.send("began")

    def broken(self, why: str) -> None:
        """The handler cannot begin."""
        self._channel.send("broken", why)

    def ended(self, finish: Finish | None) -> None:
        """The handler is through."""
        self._report()
        if finish is None:
            return self._channel.send("ended")
        ending = asdict(finish)
        return self._channel.send("ended", {name: ending[name] for name in ending if name not in ("run_id", "attempt")})

    def ask_for(self, checkpoint: Checkpoint) -> None:
        """Let the worker store it. It answers once it is durable."""
        number = next(self._numbers)
        self._checkpoints[number] = checkpoint
        self._channel.send("checkpoint", [number, checkpoint.text])

    def pass_lines_on(self) -> None:
        with self._guard:
            self._pass_lines_on()

    def _pass_lines_on(self) -> None:
        batch = self.attempt.logs.next(LINES)
        if batch.lines:
            self._channel.send("log", [(line.level, line.message, line.fields) for line in batch.lines])
            self.attempt.logs.stored(batch)

    def _report_for_ever(self) -> None:
        while True:
            sleep(_BEAT)
            self._report()

    def _report(self) -> None:
        with self._guard:
            self._pass_progress_on()
            self._pass_lines_on()
            self._pass_drops_on()

    def _pass_progress_on(self) -> None:
        progress = self.attempt.unstored_progress()
        if progress is not None:
            self._channel.send("progress", as_stored(progress))
            self.attempt.progress_stored(progress)

    def _pass_drops_on(self) -> None:
        dropped = self.attempt.logs.next(0).dropped
        if dropped > self._dropped:
            self._channel.send("dropped", dropped - self._dropped)
            self._dropped = dropped
