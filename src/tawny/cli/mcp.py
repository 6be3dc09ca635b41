"""`tawny mcp`."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated

import typer

Url = Annotated[str | None, typer.Option(help="The server's address; TAWNY_URL unless given.", show_default=False)]


def mcp(url: Url = None) -> None:
    """Serve a Tawny server's tools to an agent over stdin and stdout (MCP). For the agent's own configuration.

    Set TAWNY_URL and TAWNY_API_KEY. Agents that speak HTTP need none of this: they use the server's /mcp themselves.
    """
    address, key = url or os.environ.get("TAWNY_URL"), os.environ.get("TAWNY_API_KEY")
    if not address:
        raise typer.BadParameter("there is no server to go to: set TAWNY_URL, or give --url.", param_hint="--url")
    if not key:
        raise typer.BadParameter("there is no key to go with: set TAWNY_API_KEY.", param_hint="TAWNY_API_KEY")

    from tawny.mcp.bridge import bridge

    asyncio.run(bridge(address, key))
