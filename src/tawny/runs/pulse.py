"""What a run writes while it runs: progress and checkpoints, of many runs in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from tawny.db.pool import Connection
from tawny.runs.lease import Held
from tawny.runs.statements import queries

Written = tuple[Held, str]
"""A held run and a JSON text to store for it."""


async def save_progress(conn: Connection, written: Sequence[Written]) -> None:
    """Store the progress of each run that is still in this attempt's hands."""
    ids, attempts, texts = _columns(written)
    await queries.save_progress(conn, run_ids=ids, attempts=attempts, progresses=texts)


async def save_checkpoints(conn: Connection, written: Sequence[Written]) -> set[UUID]:
    """Store the checkpoint of each run that is still in this attempt's hands, and return these runs.

    A checkpoint is progress that a crash cannot take: the count of crashes begins anew.
    """
    ids, attempts, texts = _columns(written)
    rows = await queries.save_checkpoints(conn, run_ids=ids, attempts=attempts, states=texts)
    return {row["id"] for row in rows}


def _columns(written: Sequence[Written]) -> tuple[list[UUID], list[int], list[str]]:
    ordered = sorted(written)
    return [run for (run, _), _ in ordered], [attempt for (_, attempt), _ in ordered], [text for _, text in ordered]
