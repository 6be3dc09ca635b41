"""The door for agents: the Model Context Protocol at `/mcp`, and over stdio with `tawny mcp`.

The SDK is imported when somebody first knocks: it takes more than a second, and most servers are never asked.
"""

from tawny.mcp.door import mount

__all__ = ["mount"]
