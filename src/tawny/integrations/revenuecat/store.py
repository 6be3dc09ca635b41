"""Subscribers in the database."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid5

from tawny.db.pool import Connection
from tawny.integrations.revenuecat.shapes import ANONYMOUS, Customer
from tawny.integrations.revenuecat.statements import queries
from tawny.integrations.revenuecat.subscriber import Known, time_of

LONGEST_ID: Final = 1500
"""Characters of a customer's id."""

_BEFORE_ALL: Final = datetime(1, 1, 1, tzinfo=UTC)
_NO_ID: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose subscribers they are."""

    team_id: UUID
    project_id: UUID

    def id_of(self, app_user_id: str) -> UUID:
        """The id of a subscriber of this project."""
        return uuid5(self.project_id, app_user_id)


@dataclass(frozen=True, slots=True)
class Due:
    """A subscriber to be asked for. `due_at` and `id` are its place in the walk; `marks` goes back with what is written of it."""

    id: UUID
    app_user_id: str
    due_at: datetime
    marks: int


@dataclass(frozen=True, slots=True)
class Beginning:
    """What there is when the walk begins: the moment, all subscribers, and those of them that are due."""

    moment: datetime
    total: int
    due: int


def is_anonymous(app_user_id: str) -> bool:
    """Whether it stands for somebody who has not signed in: the alias of a customer, or of nobody yet."""
    return app_user_id.startswith(ANONYMOUS)


def is_storable(app_user_id: str) -> bool:
    """Whether PostgreSQL can hold this id as it is."""
    try:
        app_user_id.encode()
    except UnicodeEncodeError:
        return False
    return 0 < len(app_user_id) <= LONGEST_ID and "\0" not in app_user_id


async def discover(conn: Connection, owner: Owner, customers: Iterable[Customer]) -> int:
    """Keep these customers as subscribers, and return how many are new. Who was seen since the last time is due."""
    found = {owner.id_of(customer.id): customer for customer in customers}
    made: int = await queries.put_discovered(
        conn,
        team_id=owner.team_id,
        project_id=owner.project_id,
        ids=list(found),
        app_user_ids=[customer.id for customer in found.values()],
        last_seen=[time_of(customer.last_seen_at) for customer in found.values()],
    )
    return made


async def count_known(conn: Connection, owner: Owner) -> int:
    """How many subscribers there are, without those that RevenueCat does not know any more."""
    count: int = await queries.count_known(conn, team_id=owner.team_id, project_id=owner.project_id)
    return count


async def begin(conn: Connection, owner: Owner) -> Beginning:
    """Count what a walk from here on will be about."""
    return Beginning(**await queries.begin_detail(conn, team_id=owner.team_id, project_id=owner.project_id))


async def next_due(
    conn: Connection, owner: Owner, moment: datetime, after: tuple[datetime, UUID] | None, *, full: bool, at_most: int
) -> list[Due]:
    """The next that were due at this moment (with `full`: that were there), behind the place `after`."""
    due_at, id_ = after or (_BEFORE_ALL, _NO_ID)
    where: dict[str, Any] = {"team_id": owner.team_id, "project_id": owner.project_id, "moment": moment, "after_id": id_}
    if full:
        rows = await queries.next_all(conn, **where, at_most=at_most)
    else:
        rows = await queries.next_due(conn, **where, after_due=due_at, at_most=at_most)
    return [Due(**row) for row in rows]


async def write(conn: Connection, owner: Owner, batch: Sequence[tuple[Due, Known]]) -> set[UUID]:
    """Replace what is known of these subscribers, and return the ids of those that are still there."""
    if not batch:
        return set()
    where = {"team_id": owner.team_id, "project_id": owner.project_id}
    rows = await queries.write_known(conn, **where, batch=json.dumps([_row(owner, due, known) for due, known in batch]))
    await queries.settle_aliases(conn, **where, canonicals=[owner.id_of(known.canonical_id) for _, known in batch])
    return {row["id"] for row in rows}


async def write_gone(conn: Connection, owner: Owner, ids: Collection[UUID]) -> set[UUID]:
    """RevenueCat does not know these subscribers. Return the ids of those that are still there."""
    rows = await queries.write_gone(conn, team_id=owner.team_id, project_id=owner.project_id, ids=list(ids))
    return {row["id"] for row in rows}


def _row(owner: Owner, due: Due, known: Known) -> dict[str, Any]:
    return {
        "id": str(due.id),
        "canonical": str(owner.id_of(known.canonical_id)),
        "status": known.status,
        "active": known.active,
        "properties": known.properties,
        "attributes": known.attributes,
        "entitlements": known.entitlements,
        "revenue_cents": known.revenue_cents,
        "last_seen_at": known.last_seen_at.isoformat() if known.last_seen_at else None,
        "due_at": known.due_at.isoformat(),
        "marks": due.marks,
    }
