"""`tawny mcp`: a server's tools over stdin and stdout, for agents that start their tools as processes."""

from __future__ import annotations

from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from tawny import __version__
from tawny.mcp.tools import INSTRUCTIONS


async def bridge(url: str, api_key: str) -> None:
    """Pass on what comes over stdin to the Tawny server at `url`, as whoever the key belongs to, until stdin ends.

    Every call goes to `/mcp` of that server: what may be done, what is limited and what is written down is decided there.
    """
    headers = {"authorization": f"Bearer {api_key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30, trust_env=False) as http,
        Client(streamable_http_client(f"{url.rstrip('/')}/mcp", http_client=http)) as upstream,
    ):

        async def list_tools(_: Any, params: Any) -> Any:
            return await upstream.list_tools(cursor=params.cursor if params else None)

        async def call_tool(_: Any, params: Any) -> Any:
            return await upstream.call_tool(params.name, params.arguments)

        server: Server[Any] = Server(
            "tawny", version=__version__, instructions=INSTRUCTIONS, on_list_tools=list_tools, on_call_tool=call_tool
        )
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())
