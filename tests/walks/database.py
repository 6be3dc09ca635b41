"""What only the database shows of a run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncpg

from tawny.db import embedded


def row_of(state: Path, run_id: str) -> dict[str, Any]:
    """All columns of a run in the embedded database of this state folder."""
    return fetch(state, "select * from job_runs where id = $1", run_id)[0]


def events_of(state: Path, run_id: str) -> list[str]:
    """The kinds of its events, in their order."""
    return [row["kind"] for row in fetch(state, "select kind from run_events where run_id = $1 order by seq", run_id)]


def fetch(state: Path, query: str, subject: str) -> list[dict[str, Any]]:
    """Rows of a query about one thing, in the embedded database of this state folder."""
    return asyncio.run(_ask(embedded.join(state), query, subject))


async def _ask(url: str, query: str, run_id: str) -> list[dict[str, Any]]:
    conn = await asyncpg.connect(url)
    try:
        return [dict(row) for row in await conn.fetch(query, run_id)]
    finally:
        await conn.close()
