"""uvicorn, set up for Tawny."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from tawny.cli.listen import address_of, cannot_listen
from tawny.cli.protocol import HttpProtocol
from tawny.errors import StartError

_LONGER_THAN_PROXIES_KEEP_IDLE_CONNECTIONS = 75


class Server(uvicorn.Server):
    """A uvicorn server that leaves signals to `tawny serve`, and calls `on_listening` with its address when it really listens."""

    def __init__(self, app: Any, sockets: list[socket.socket], on_listening: Callable[[str], Awaitable[None]]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=HttpProtocol,
                ws="none",
                lifespan="off",  # `serve` opens the app itself: uvicorn would show a traceback when that fails
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_LONGER_THAN_PROXIES_KEEP_IDLE_CONNECTIONS,
                timeout_graceful_shutdown=2,
            )
        )
        self._sockets = sockets
        self._on_listening = on_listening

    def ask_to_stop(self) -> None:
        """Stop accepting, and give what is under way two seconds; asked again, none."""
        self.force_exit = self.should_exit
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(self._sockets)
        except SystemExit:
            raise StartError("The web server could not start; the lines above say why.") from None
        except OSError as error:
            host, port = self._sockets[0].getsockname()[:2]
            raise cannot_listen(host, port, error) from None
        await self._on_listening(address_of(self._sockets[0]))
