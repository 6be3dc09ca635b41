"""What the author's app opens once per worker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from tawny.errors import StartError
from tawny.jobs import App


@asynccontextmanager
async def entered(app: App) -> AsyncIterator[Any]:
    """Open what the app's lifespan opens, hand it out, and close it at the end. StartError where it cannot be opened."""
    async with AsyncExitStack() as stack:
        yield await _open(app, stack)


async def _open(app: App, stack: AsyncExitStack) -> Any:
    if app.lifespan is None:
        return None
    try:
        return await stack.enter_async_context(app.lifespan(app))
    except Exception as error:
        raise StartError(f"The lifespan of the app failed at its start: {type(error).__name__}: {error}") from error
