"""What the players of interleaved tests do, and what they start from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tests.runs.interleave import Part, Verb

from tawny import runs
from tawny.runs import Claimed, Finish, Flushed, LogLine


def cancel(house, run_id: UUID, *, include_pending: bool = False) -> Part:
    return Part(lambda conn: runs.cancel(conn, house.actor, run_id, include_pending=include_pending))


def cancel_all(house, run_ids: list[UUID]) -> Part:
    return Part(lambda conn: runs.cancel_many(conn, house.team_id, run_ids, by="test"))


def finish(*finishes: Finish) -> Part:
    return Part(lambda conn: runs.finish(conn, finishes))


def release(*held: Claimed) -> Part:
    return Part(lambda conn: runs.release(conn, [(c.id, c.attempt) for c in held]))


def reap() -> Part:
    return Part(lambda conn: runs.reap(conn, lease=0))


def claim(worker_id: UUID, slots: int = 100) -> Part:
    return Part(lambda conn: runs.claim(conn, worker_id, job_types=["export"], slots=slots))


def flush(*held: Claimed) -> Part:
    line = LogLine(1, 20, "a line", None, datetime.now(UTC))
    flushed = [Flushed((c.id, c.attempt), '{"processed": 1, "total": 2}', [line], 1, 1, 0) for c in held]
    return Part(lambda conn: runs.flush(conn, flushed))


def trigger(house, **changes: Any) -> Verb:
    wanted = {"team_id": house.team_id, "project_id": house.project_id} | changes
    return lambda conn: runs.trigger(conn, house.actor, wanted.get("job", house.job), **wanted)


def retry(house, run_id: UUID, **more: Any) -> Verb:
    return lambda conn: runs.retry(conn, house.actor, run_id, house.jobs, **more)


def retry_all(house, run_ids: list[UUID]) -> Part:
    return Part(lambda conn: runs.retry_many(conn, house.team_id, run_ids, house.jobs, triggered_by="test"), transaction=False)


def delete_project(house, project_id: UUID) -> Part:
    return Part(lambda conn: runs.delete_project(conn, house.actor, project_id))


async def status(house, run_id: UUID) -> str:
    return str((await house.row(run_id))["status"])


async def some_pending(house, count: int) -> list[UUID]:
    return [await house.trigger(project_id=await house.new_project()) for _ in range(count)]


async def some_running(house, count: int) -> tuple[UUID, list[Claimed]]:
    """Runs of one worker, in the order of their ids; in the table they stand the other way round."""
    await some_pending(house, count)
    worker_id = await house.enlist()
    held = sorted(await house.claim(worker_id), key=lambda claimed: claimed.id)
    for claimed in reversed(held):
        await house.conn.execute("update job_runs set notify = not notify where id = $1", claimed.id)
    return worker_id, held


async def some_ended(house, count: int) -> list[UUID]:
    _, held = await some_running(house, count)
    await runs.finish(house.conn, [Finish(c.id, c.attempt, "failed", error="E") for c in held])
    return [claimed.id for claimed in held]
