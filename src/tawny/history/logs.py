"""Read the log of a run."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from tawny.access import VIEW_RUN, Actor
from tawny.db.pool import Connection
from tawny.errors import NotFound
from tawny.history.statements import queries


@dataclass(frozen=True, slots=True)
class Lines:
    """Some lines of a run's log, as JSON texts in the order in which they were written."""

    lines: list[str]
    next_after: int
    """Behind which number to go on reading."""
    has_more: bool
    """Whether there are further ones: behind these, or before them."""
    dropped: int
    """Lines that the run wrote beyond what is kept."""


async def logs(
    conn: Connection,
    actor: Actor,
    run_id: UUID,
    *,
    after: int = 0,
    level: int,
    limit: int,
    search: str = "",
    before: int | None = None,
) -> Lines:
    """Return up to `limit` lines of at least this level behind the number `after` or, with `before`, the last ones before that.

    With `search` only those whose message has this text, in any case. NotFound when there is no such run. Looks at no more than
    the lines of this one run, of which 10,000 are kept at most.
    """
    wanted = {"run_id": run_id, "team_ids": actor.teams_for(VIEW_RUN), "level": level, "search": search, "most": limit + 1}
    if before is None:
        rows = await queries.logs(conn, after=after, **wanted)
    else:
        rows = await queries.last_logs(conn, before=before, **wanted)
    if not rows:
        raise NotFound("Run not found.")
    found = [row for row in rows if row["line"] is not None]
    page = found[:limit] if before is None else found[-limit:]
    return Lines(
        [row["line"] for row in page],
        next_after=page[-1]["seq"] if page else after,
        has_more=len(found) > limit,
        dropped=rows[0]["dropped"],
    )
