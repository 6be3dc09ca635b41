"""`/mcp` on a server: who asks is looked at here, by the same rules as everywhere; the SDK does the rest."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from fastapi import FastAPI

PATHS: Final = ("/mcp", "/mcp/")


def mount(api: FastAPI) -> FastAPI:
    """Serve MCP at `/mcp` of an API made by `tawny.api.create_app`, with its verbs and its permissions. Returns the API."""
    door = _Door(api)
    api.router.routes.extend(Route(path, door, methods=["GET", "POST", "DELETE"], name="mcp") for path in PATHS)
    return api


class _Door:
    """Lets in whoever has a good credential, and opens the SDK's own app when the first one comes."""

    def __init__(self, api: FastAPI) -> None:
        self._api = api
        self._opening: asyncio.Task[ASGIApp] | None = None
        self._kept: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._require_credential(scope)
        if self._opening is None or (self._opening.done() and self._opening.exception()):
            self._opening = asyncio.create_task(self._open())
        app = await asyncio.shield(self._opening)
        await app({**scope, "path": "/", "raw_path": b"/", "root_path": "", "app": app}, receive, send)

    async def _require_credential(self, scope: Scope) -> None:
        """Raise Unauthenticated before anything is parsed. Each tool is called with the same credential, and checked by it."""
        headers = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
        await self._api.state.tawny.authenticator.actor(headers[0] if len(headers) == 1 else None)

    async def _open(self) -> ASGIApp:
        # In a thread: other requests are answered meanwhile.
        server = await asyncio.to_thread(import_module, "tawny.mcp.server")
        app, manager = server.make(self._api)
        opened = asyncio.get_running_loop().create_future()
        self._kept = asyncio.create_task(_keep(manager, opened))
        await opened
        made: ASGIApp = app
        return made


async def _keep(manager: Any, opened: asyncio.Future[None]) -> None:
    """Keep the SDK's sessions open for as long as this process serves."""
    async with manager.run():
        opened.set_result(None)
        await asyncio.Event().wait()
