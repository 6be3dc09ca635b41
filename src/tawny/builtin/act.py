"""Act on many runs: the handler of bulk actions, which goes through them in batches.

What a batch does and how far the walk is are committed together, so that a crash neither loses a run nor takes one twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, assert_never, cast
from uuid import UUID

from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from tawny import runs
from tawny.builtin.bulk import BULK, Action, meant
from tawny.db.pool import Connection
from tawny.jobs import Job, Options, Run, define
from tawny.runs import NEW_RUN, Filter, Position

BATCH: Final = 200
"""Runs that one transaction acts on: few enough that nobody waits long for a lock."""

_RETRIES: Final = 10  # of the bulk run itself, which goes on from its last batch when the database was away


@dataclass(frozen=True, slots=True)
class Effect:
    """What was done to the runs of a batch and why nothing was done to others, each counted by a word; and whom to wake."""

    done: Mapping[str, int]
    skipped: Mapping[str, int]
    wake: frozenset[str]


Act = Callable[[Connection, UUID, Sequence[UUID]], Awaitable[Effect]]
"""Acts on some runs of a team."""


@dataclass(slots=True)
class Tally:
    """How far the walk is, and what it did on its way; a checkpoint is this as JSON."""

    processed: int = 0
    done: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    after: Position | None = None

    def add(self, batch: Sequence[Position], effect: Effect) -> None:
        self.processed += len(batch)
        self.done.update(effect.done)
        self.skipped.update(effect.skipped)
        self.after = batch[-1] if batch else self.after

    def result(self) -> dict[str, Any]:
        return {"processed": self.processed, **self.done, "skipped": dict(self.skipped)}


_TALLY: Final = TypeAdapter(Tally)


def bulk_job(jobs: Mapping[str, Job], *, notify: bool) -> Job:
    """The job type of bulk actions on the runs of an app with these job types."""

    async def bulk(run: Run, action: Action, filter: Filter, matched: int, asked_by: str) -> dict[str, Any]:  # noqa: A002
        """Retry or cancel the runs that match a filter."""
        return await _walk(run, meant(action, filter), matched, _act(action, run.id, jobs, asked_by), notify=notify)

    return define(bulk, Options(name=BULK, label="Bulk action", retries=_RETRIES, builtin=True))


async def _walk(run: Run, where: Filter, matched: int, act: Act, *, notify: bool) -> dict[str, Any]:
    team_id = cast("UUID", run.team_id)  # only teams ask for it
    tally, more = _TALLY.validate_python(run.checkpointed or {}), True
    while more and not run.cancelled:
        run.progress(tally.processed, matched)
        async with run.transaction() as tx:
            batch = await runs.walk(tx.connection, team_id, where=replace(where, after=tally.after), limit=BATCH)
            # It may match itself, having been made in the very millisecond of the request.
            effect = await act(tx.connection, team_id, [position.run_id for position in batch if position.run_id != run.id])
            tally.add(batch, effect)
            tx.checkpoint(to_jsonable_python(tally))
            if notify and effect.wake:
                await runs.wake(tx.connection, effect.wake)
        more = len(batch) == BATCH
    run.progress(tally.processed, matched)
    return tally.result()


def _act(action: Action, own_id: UUID, jobs: Mapping[str, Job], asked_by: str) -> Act:
    match action:
        case "retry":
            return partial(_retry, jobs, asked_by)
        case "cancel":
            return partial(_cancel, own_id, asked_by)
    assert_never(action)


async def _retry(jobs: Mapping[str, Job], asked_by: str, conn: Connection, team_id: UUID, run_ids: Sequence[UUID]) -> Effect:
    skipped = await runs.retry_many(conn, team_id, run_ids, jobs, triggered_by=f"manual:{asked_by}")
    retried = skipped.pop("made", 0)
    return Effect({"retried": retried}, skipped, frozenset({NEW_RUN} if retried else ()))


async def _cancel(own_id: UUID, asked_by: str, conn: Connection, team_id: UUID, run_ids: Sequence[UUID]) -> Effect:
    # Its own run too, to which the transaction writes its checkpoint at the end, when some of these are counted already.
    await runs.hold(conn, [*run_ids, own_id])
    cancelled = await runs.cancel_many(conn, team_id, run_ids, by=asked_by)
    left = len(run_ids) - cancelled.ended - cancelled.asked
    done = {"cancelled": cancelled.ended, "asked_to_stop": cancelled.asked}
    return Effect(done, {"not_active": left} if left else {}, frozenset(map(str, cancelled.worker_ids)))
