"""Every process reaps, and gives the workers one lease to come back in when the database does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.pgbouncer import POOLER

from tawny import runs
from tawny.db.pool import UNREACHABLE, Pool, connect, open_pool
from tawny.workers import reap
from tawny.workers.reap import Reaper


@pytest.fixture
async def pool_of_one(conn: object, database_url: str) -> AsyncIterator[Pool]:
    pool = await open_pool(database_url, size=1)
    yield pool
    await pool.close()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Each look for dead workers."""
    looked: list[float] = []

    async def reap(_tx: object, *, lease: float) -> dict[object, object]:
        looked.append(lease)
        return {}

    monkeypatch.setattr(runs, "reap", reap)
    return looked


async def _cut(pool: Pool, url: str) -> None:
    """The database ends the session of the pool's only connection, as when it restarts between two beats."""
    async with pool.acquire() as conn:
        session = conn.get_server_pid()
    other = await connect(url)
    await other.execute("select pg_terminate_backend($1, 5000)", session)
    await other.close()


async def _beat_on(reaper: Reaper) -> None:
    """One beat on a living connection."""
    while True:
        try:
            return await reaper.beat()
        except UNREACHABLE:
            continue


@pytest.mark.skipif(POOLER, reason="a pooler keeps the session when its server has gone; the next statement fails instead")
@pytest.mark.parametrize(("lease", "after"), [(3600.0, 1), (0.0, 2)])
async def test_after_its_session_was_cut_nothing_is_reaped_for_one_lease(
    pool_of_one: Pool, database_url: str, looks: list[float], lease: float, after: int
) -> None:
    reaper = Reaper(pool_of_one, lease, wake=list)
    await reaper.beat()
    assert len(looks) == 1
    await _cut(pool_of_one, database_url)
    await _beat_on(reaper)
    assert len(looks) == after


async def test_after_a_beat_that_found_no_database_nothing_is_reaped_for_one_lease(
    pool_of_one: Pool, looks: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    beats = 0

    async def beat(self: Reaper) -> None:
        nonlocal beats
        beats += 1
        if beats == 1:
            raise ConnectionRefusedError
        if beats == 4:
            raise asyncio.CancelledError
        await really(self)

    really = Reaper.beat
    monkeypatch.setattr(Reaper, "beat", beat)
    monkeypatch.setattr(reap, "BEAT", 0.0)
    with pytest.raises(asyncio.CancelledError):
        await reap.reap_forever(pool_of_one, lease=3600.0)
    assert (beats, looks) == (4, [])
