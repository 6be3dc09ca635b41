"""`tawny mcp`."""

from __future__ import annotations

import asyncio

from tawny.cli.user.options import Profile


def mcp(profile: Profile = None) -> None:
    """Serve a Tawny server's tools to an agent over stdin and stdout (MCP): for the agent's own configuration.

    It goes where your sign-in goes, or to TAWNY_URL with TAWNY_API_KEY. Agents that speak HTTP need none of this: they use the
    server's /mcp themselves.

    \b
    Example:
      TAWNY_URL=https://tawny.example.com TAWNY_API_KEY=tawny_… tawny mcp
    """
    from tawny.cli.user.server import access
    from tawny.mcp.bridge import bridge

    found = access(profile)
    asyncio.run(bridge(found.url, found.credential))
