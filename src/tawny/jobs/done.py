"""What has happened already, for those who wait for it all the same."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from typing import Final


class _Done:
    def __await__(self) -> Generator[None, None, None]:
        return
        yield


DONE: Final[Awaitable[None]] = _Done()
"""Lets `await` go through where the call has done its work."""
