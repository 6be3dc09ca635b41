"""Where a credential may stand: in one `Authorization` header, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import Depends, Request

from tawny.access import Actor
from tawny.access.credential import refused
from tawny.api.answers import Header
from tawny.api.state import state_of


def authorization(headers: Iterable[Header]) -> str | None:
    """The text of the header, None when there is none; Unauthenticated when there are several."""
    found = [value for name, value in headers if name == b"authorization"]
    if len(found) > 1:
        raise refused()
    return found[0].decode("latin-1") if found else None


async def _caller(request: Request) -> Actor:
    return await state_of(request.scope).authenticator.actor(authorization(request.scope["headers"]))


Caller = Annotated[Actor, Depends(_caller)]
"""Who sends the request, for FastAPI's own routes."""
