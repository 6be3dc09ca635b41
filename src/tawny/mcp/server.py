"""The SDK's server with Tawny's tools. Importing this imports the SDK."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from fastapi import FastAPI
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import ToolAnnotations

from tawny import __version__
from tawny.client import AsyncClient
from tawny.config import Settings
from tawny.errors import TawnyError
from tawny.mcp.record import Record
from tawny.mcp.tools import INSTRUCTIONS, TOOLS, Tool, Tools

_LOCAL: Final = ("127.0.0.1", "localhost", "[::1]")


def make(api: FastAPI) -> tuple[Any, Any]:
    """Return the app that speaks MCP, and the manager of its sessions, which has to run while it serves."""
    state = api.state.tawny
    server = MCPServer("tawny", title="Tawny", instructions=INSTRUCTIONS, version=__version__)
    record = Record(state)
    for tool in TOOLS:
        server.tool(
            tool.name,
            title=tool.title,
            description=tool.description,
            annotations=ToolAnnotations(
                title=tool.title,
                read_only_hint=tool.reads,
                destructive_hint=tool.destroys,
                idempotent_hint=tool.reads,
                open_world_hint=False,
            ),
        )(_asked_by_sdk(tool, api, record))
    app = server.streamable_http_app(
        streamable_http_path="/", stateless_http=True, json_response=True, transport_security=_allowed(state.settings)
    )
    return app, server.session_manager


def _asked_by_sdk(tool: Tool, api: FastAPI, record: Record) -> Any:
    """A function with the tool's signature for the SDK to read, which calls the tool as whoever sent the request."""

    async def call(ctx: Context[Any, Any], **arguments: Any) -> dict[str, Any]:
        request: Any = ctx.request_context.request
        authorization = request.headers["authorization"]
        credential = authorization.partition(" ")[2]
        transport = httpx.ASGITransport(api, raise_app_exceptions=False)
        async with AsyncClient("http://tawny.invalid", credential, transport=transport, timeout=5) as client:
            try:
                await record.note(authorization, tool, arguments)
                return await tool.call(Tools(client), **arguments)
            except TawnyError as error:
                raise ToolError(_said(error)) from None

    call.__signature__ = tool.signature_with(Context[Any, Any])  # type: ignore[attr-defined]
    call.__annotations__ = {name: parameter.annotation for name, parameter in call.__signature__.parameters.items()}  # type: ignore[attr-defined]
    call.__annotations__["return"] = dict[str, Any]
    return call


def _said(error: TawnyError) -> str:
    """The sentence, the stable word, and what else the API says, such as the run that is in the way."""
    code = getattr(error, "code", None)
    details = {name: value for name, value in getattr(error, "details", {}).items() if name != "teams"}
    return f"{error} ({code}{'' if not details else f', {details}'})" if code else str(error)


def _allowed(settings: Settings) -> TransportSecuritySettings:
    """Only the names by which this server is reached: a page elsewhere whose name was made to lead here has another."""
    own = urlsplit(settings.base_url)
    hosts = [*_LOCAL, *(f"{host}:*" for host in _LOCAL), own.netloc, settings.host, f"{settings.host}:*"]
    origins = [f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts]
    return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins)
