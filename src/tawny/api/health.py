"""Whether this process is up, and whether it can serve."""

from __future__ import annotations

import asyncio
from typing import Final, Literal

from fastapi import APIRouter, Request

from tawny.api.envelope import Answered
from tawny.api.openapi import refusals
from tawny.api.state import state_of
from tawny.db.migrate import require_schema
from tawny.db.pool import UNREACHABLE, Pool
from tawny.errors import StartError, Unavailable

router = APIRouter(tags=["Health"])

READY_SECONDS: Final = 2.0
"""How long the database gets to answer."""

_OPEN: Final[dict[str, object]] = {"security": []}


class Health(Answered):
    """All is well."""

    status: Literal["ok"]


@router.get("/healthz", openapi_extra=_OPEN)
async def healthz() -> Health:
    """Say that this process is up. Asks no database: restarting the process would not bring that back."""
    return Health(status="ok")


@router.get("/readyz", openapi_extra=_OPEN, responses=refusals(503))
async def readyz(request: Request) -> Health:
    """Say that requests can be served: the database answers and has the schema that this version needs."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            await _require_database(state_of(request.scope).pool)
    except StartError as error:
        raise Unavailable(str(error), code="not_ready") from None
    except UNREACHABLE:
        raise Unavailable("The database does not answer.", code="not_ready") from None
    return Health(status="ok")


async def _require_database(pool: Pool) -> None:
    async with pool.acquire() as conn:
        await require_schema(conn)
