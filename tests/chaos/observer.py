"""The harness's own look into the database, past all proxies: what handlers committed, and every change of a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Any

import asyncpg

_READY = 60.0
_DRAIN = 45.0
_TELL = 60.0
_CATCH_UP = 15.0

# What the harness needs of the database for itself: effects of handlers, and an audit that no statement of Tawny's can go round.
_SCHEMA = """
create table chaos_effects (run_id uuid not null, attempt integer not null);
create table chaos_audit (
    id bigserial primary key, run_id uuid not null, old text, new text not null, attempt integer not null, stale boolean not null
);
create function chaos_audit() returns trigger language plpgsql as $$
declare
    said text := new.progress ->> 'message';
    stale boolean := false;
begin
    if tg_op = 'INSERT' then
        insert into chaos_audit (run_id, new, attempt, stale) values (new.id, new.status, new.attempt, false);
        return null;
    end if;
    if said is distinct from (old.progress ->> 'message') then
        stale := said <> 'attempt ' || new.attempt;
    end if;
    if new.status <> old.status or stale then
        insert into chaos_audit (run_id, old, new, attempt, stale) values (new.id, old.status, new.status, new.attempt, stale);
    end if;
    return null;
end
$$;
create trigger chaos_audit after insert or update on job_runs for each row execute function chaos_audit();
"""

_OVERLAPS = """
select array_agg(id::text) as runs from job_runs
where status in ('pending', 'running') and job_type in ('work', 'stride', 'book', 'doze', 'chime')
group by team_id, job_type, project_id, unique_key having count(*) > 1
"""


_RUNS = """
select r.id::text, r.params ->> 'call' as call, r.project_id::text || ' ' || r.job_type as slot, r.job_type, r.status,
    r.error_code, r.attempt, r.crashes, (r.result ->> 'attempt')::integer as result_of, r.notify,
    e.data ->> 'schedule_id' as schedule,
    extract(epoch from (e.data ->> 'due_at')::timestamptz)::float8 as due
from job_runs as r
left join run_events as e on e.run_id = r.id and e.seq = 1
where r.team_id is not null
order by r.created_at, r.id
"""
_SCHEDULES = """
select id::text, extract(epoch from created_at)::float8 as made, extract(epoch from next_at)::float8 as next
from schedules where team_id is not null order by id
"""
_TICKS = """
select schedule_id::text as schedule, extract(epoch from due_at)::float8 as due, decision, run_id::text as run, times,
    extract(epoch from until)::float8 as until, extract(epoch from decided_at)::float8 as decided
from schedule_ticks where team_id is not null order by schedule_id, due_at, decided_at
"""
_MAILS = "select run_id::text as run, status, tries, unsure from deliveries where channel = 'mail' order by run_id"
_RUNNING = "select exists (select from job_runs where outcome is null)"
_UNTOLD = "select exists (select from notices) or exists (select from deliveries where status = 'pending')"
_BEHIND = "select exists (select from schedules where team_id is not null and next_at < clock_timestamp() - interval '2 s')"
_EVENTS = """
select run_id::text as run, seq, kind, attempt, data ->> 'worker' as worker from run_events order by run_id, seq
"""
_AUDIT = "select run_id::text as run, old, new, attempt, stale from chaos_audit order by id"

# What a database says that is being broken on purpose.
_AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Observer:
    """Furnishes the database at the beginning, watches it, and takes stock in the end. `url` is asked for anew each time."""

    def __init__(self, url: Callable[[], str]) -> None:
        self._url = url
        self.overlaps: set[str] = set()
        """Runs that were seen in one slot at one moment."""
        self.connections = 0
        """The most that Tawny had open at once."""
        self.stopped: float | None = None
        """When schedules were let be, by the clock of the database."""

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection]:
        conn = await asyncpg.connect(self._url(), timeout=2, command_timeout=10)
        try:
            yield conn
        finally:
            conn.terminate()

    async def furnish(self, team_id: str, project_ids: list[str]) -> None:
        """Make the projects, and the tables and the audit of the harness."""
        async with self._connected() as conn:
            await conn.execute(_SCHEMA)
            await conn.executemany(
                "insert into projects (id, team_id, name, slug, color) values ($1, $2, 'P', $1::uuid::text, '#000000')",
                [(project_id, team_id) for project_id in project_ids],
            )

    async def enlisted(self, workers: int) -> None:
        """Return once so many workers are there."""
        async with self._connected() as conn, asyncio.timeout(_READY):
            while await conn.fetchval("select count(*) from workers") < workers:
                await asyncio.sleep(0.02)

    async def watch(self) -> None:
        """Look for two runs in one slot, and count connections, until cancelled."""
        while True:
            with suppress(*_AWAY):
                async with self._connected() as conn:
                    await self._look(conn)
            await asyncio.sleep(0.05)

    async def _look(self, conn: asyncpg.Connection) -> None:
        while True:
            for row in await conn.fetch(_OVERLAPS):
                self.overlaps.add(" ".join(sorted(row["runs"])))
            used = await conn.fetchval("select count(*) from pg_stat_activity where application_name like 'tawny%'")
            self.connections = max(self.connections, used)
            await asyncio.sleep(0.1)

    async def drained(self) -> float:
        """Wait until every run has ended and every mail was taken, but not for ever: what has not by then is lost.

        Returns the seconds it took.
        """
        begun = monotonic()
        await self._while(_RUNNING, _DRAIN)
        await self._while(_UNTOLD, _TELL)
        return monotonic() - begun

    async def _while(self, fact: str, at_most: float) -> None:
        begun = monotonic()
        while monotonic() - begun < at_most and await self._is(fact):
            await asyncio.sleep(0.05)

    async def _is(self, fact: str) -> bool:
        with suppress(*_AWAY):
            async with self._connected() as conn:
                found: bool = await conn.fetchval(fact)
                return found
        return True

    async def stop_schedules(self) -> None:
        """Once all of them have caught up, or it is clear that they do not, let them be due no more."""
        begun = monotonic()
        with suppress(*_AWAY):
            async with self._connected() as conn:
                while monotonic() - begun < _CATCH_UP and await conn.fetchval(_BEHIND):
                    await asyncio.sleep(0.05)
                await conn.execute("update schedules set look_at = 'infinity' where look_at is not null")
                self.stopped = await conn.fetchval("select extract(epoch from clock_timestamp())::float8")

    async def records(self) -> dict[str, Any]:
        """What the database says of all runs, as the evidence has it."""
        async with self._connected() as conn:
            return {
                "runs": [dict(row) for row in await conn.fetch(_RUNS)],
                "events": [dict(row) for row in await conn.fetch(_EVENTS)],
                "audit": [dict(row) for row in await conn.fetch(_AUDIT)],
                "schedules": [dict(row) for row in await conn.fetch(_SCHEDULES)],
                "ticks": [dict(row) for row in await conn.fetch(_TICKS)],
                "mails": [dict(row) for row in await conn.fetch(_MAILS)],
                "stopped": self.stopped,
                "effects": [str(row["run_id"]) for row in await conn.fetch("select run_id from chaos_effects")],
                "dump": await _dump(conn),
            }


async def _dump(conn: asyncpg.Connection) -> str:
    """Every row of Tawny's tables, as text."""
    tables = await conn.fetch("select tablename from pg_tables where schemaname = 'public' and tablename not like 'chaos%'")
    texts = [await conn.fetchval(f"select string_agg(t::text, E'\\n') from \"{row[0]}\" as t") for row in tables]
    return "\n".join(text for text in texts if text)
