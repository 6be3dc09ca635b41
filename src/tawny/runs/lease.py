"""How long a worker may act: enlist, renew, leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tawny.db.ids import uuid7
from tawny.db.pool import Connection
from tawny.runs.statements import queries

Held = tuple[UUID, int]
"""A run in the hands of a worker: its id and the attempt."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """What the database said to a renewal."""

    claimed: int
    """Runs ever claimed under this worker id. More than the worker knows of: the reply of a claim was lost."""
    to_cancel: frozenset[UUID]
    """Runs it holds that somebody asked to stop."""
    gone: frozenset[UUID]
    """Runs it believes to hold that are not its own any more."""


@dataclass(frozen=True, slots=True)
class Sign:
    """What a worker tells of itself at a beat."""

    pulse: float = 0.0
    """How long its renewal before this one took, in seconds: how well it reaches the database."""
    memory: int | None = None
    """Bytes of memory that it holds; None where nobody can say."""
    draining: bool = False
    """Whether it claims nothing any more and only ends what it has begun."""


async def enlist(conn: Connection, *, name: str, version: str, lease: float) -> UUID:
    """Enter a new worker, leased for `lease` seconds from now by the database's clock, and return its id."""
    worker_id = uuid7()
    await queries.enlist(conn, id=worker_id, name=name, version=version, lease=lease)
    return worker_id


async def renew(conn: Connection, worker_id: UUID, *, lease: float, held: Sequence[Held], sign: Sign = Sign()) -> Renewed | None:
    """Extend the lease to `lease` seconds from now. None when it had run out: the worker must then take a new id."""
    run_ids, attempts = columns(held)
    row = await queries.renew(
        conn,
        worker_id=worker_id,
        lease=lease,
        run_ids=run_ids,
        attempts=attempts,
        pulse=sign.pulse,
        memory=sign.memory,
        draining=sign.draining,
    )
    if row is None:
        return None
    return Renewed(row["claimed"], frozenset(row["to_cancel"]), frozenset(row["gone"]))


async def held_by(conn: Connection, worker_id: UUID) -> list[Held]:
    """Every run that the database thinks this worker holds."""
    return [(row["id"], row["attempt"]) for row in await queries.held_by(conn, worker_id=worker_id)]


async def hold(tx: Connection, run_ids: Sequence[UUID]) -> None:
    """Keep these runs as they are until the transaction ends, save for what the transaction itself does to them.

    One that writes to several runs in several statements does this first, with all of them at once, and cannot deadlock.
    """
    await queries.hold(tx, run_ids=run_ids)


async def release(tx: Connection, held: Sequence[Held]) -> None:
    """Give runs back without a charge: pending and due at once, or cancelled where somebody asked for that.

    An attempt that a reaper took back already gets the crash forgiven that was charged for it. Needs a transaction.
    """
    if not held:
        return
    ids, attempts = columns(held)
    await hold(tx, ids)
    rows = await queries.release(tx, run_ids=ids, attempts=attempts)
    if len(rows) < len(held):
        await queries.forgive(tx, run_ids=ids, attempts=attempts)


async def leave(tx: Connection, worker_id: UUID, held: Sequence[Held]) -> None:
    """Strike a worker off the list and give its runs back without a charge. Needs a transaction.

    The worker's row goes first: a claim that is still under way is waited for, and what it took is given back as well.
    """
    await queries.leave(tx, worker_id=worker_id)
    await release(tx, list({*held, *await held_by(tx, worker_id)}))


def columns(held: Sequence[Held]) -> tuple[list[UUID], list[int]]:
    """Runs and attempts as two columns."""
    return [run for run, _ in held], [attempt for _, attempt in held]
