"""The signals that stop a server."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable


def stop_signals() -> list[signal.Signals]:
    """What stops a server; not the end of its terminal when it was started by nohup."""
    hangup = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hangup]


def on_stop_signals(*callbacks: Callable[[], None]) -> None:
    """Call all of these, in the running loop, each time that a signal asks the server to stop."""
    for number in stop_signals():
        asyncio.get_running_loop().add_signal_handler(number, lambda: [callback() for callback in callbacks])
