"""Numbers for whoever operates this server."""

from __future__ import annotations

from fastapi import APIRouter, Request

from tawny import history, notifications
from tawny.api.answers import TextResponse
from tawny.api.openapi import refusals
from tawny.api.scrape import exposed
from tawny.api.state import State, state_of

router = APIRouter(tags=["Health"])

_IN_PROMETHEUS_FORMAT = {"content": {"text/plain": {"schema": {"type": "string"}}}}


@router.get(
    "/metrics",
    openapi_extra={"security": []},
    response_class=TextResponse,
    responses={200: _IN_PROMETHEUS_FORMAT, **refusals(503)},
)
async def metrics(request: Request) -> TextResponse:
    """Show the metrics of this server in the text format of Prometheus.

    Needs no credential and names no team. A reading is kept for a second.
    """
    state = state_of(request.scope)
    return TextResponse(await state.scrape.text(lambda: _read(state)))


async def _read(state: State) -> bytes:
    async with state.pool.acquire() as conn:
        found = await history.measure(conn, list(state.jobs))
        posting = await notifications.measure(conn)
    return exposed(found, posting, state.pool)
