"""How each kind of fault is done to a town."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import asyncpg
from tests.chaos.author import POISON
from tests.chaos.clients import Client
from tests.chaos.network import Link, Proxy, Way
from tests.chaos.plan import Fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.chaos.processes import Process
    from tests.chaos.town import Town

Act = Callable[["Town", Fault], Awaitable[object]]

_BOTH: frozenset[Way] = frozenset({"up", "down"})


async def do(town: Town, fault: Fault) -> None:
    """Break it, and mend it again where the fault lasts for a time."""
    await FAULTS[fault.kind](town, fault)


def _worker(town: Town, fault: Fault) -> Process:
    return town.workers[fault.target % len(town.workers)]


def _wire(town: Town, fault: Fault) -> Proxy:
    return town.wires[fault.target % len(town.wires)]


# Processes


async def _kill(town: Town, fault: Fault) -> None:
    _worker(town, fault).kill()


async def _kill_api(town: Town, fault: Fault) -> None:
    town.api.kill()


async def _stop(town: Town, fault: Fault) -> None:
    await _stopped(_worker(town, fault), fault.seconds)


async def _stopped(process: Process, seconds: float) -> None:
    process.stop()
    pid = process.pid
    await asyncio.sleep(seconds)
    if process.pid == pid:
        process.go_on()


async def _term(town: Town, fault: Fault) -> None:
    _worker(town, fault).terminate()


async def _term_twice(town: Town, fault: Fault) -> None:
    worker = _worker(town, fault)
    worker.terminate()
    await asyncio.sleep(0.05)
    worker.terminate()


async def _term_and_kill(town: Town, fault: Fault) -> None:
    worker = _worker(town, fault)
    worker.terminate()
    pid = worker.pid
    await asyncio.sleep(fault.seconds)
    if worker.pid == pid:
        worker.kill()


async def _clutch(town: Town, fault: Fault) -> None:
    """A run that blocks its whole worker for longer than the lease."""
    town.ledger.note("frozen", pid=_worker(town, fault).pid)
    await _caller(town, fault).call(f"clutch-{fault.at}", asyncio.Event(), "clutch", seconds=fault.seconds)


async def _mail_away(town: Town, fault: Fault) -> None:
    await town.post_office.away(fault.seconds)


# What a process is stopped in the middle of


async def _next(proxy: Proxy, wanted: Callable[[Link, bytes], bool], then: Callable[[], object], within: float = 6.0) -> None:
    """Do something at the moment at which a worker sends what is wanted, before it is passed on; not at all if it comes late."""
    seen = asyncio.Event()

    def look(link: Link, chunk: bytes) -> None:
        if not seen.is_set() and wanted(link, chunk):
            seen.set()
            then()

    proxy.seen = look
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            await seen.wait()
    seen.set()


def _of(name: str, text: bytes = b"") -> Callable[[Link, bytes], bool]:
    return lambda link, chunk: link.name == name and text in chunk


def _stopping(wanted: Callable[[Link, bytes], bool]) -> Act:
    async def act(town: Town, fault: Fault) -> None:
        worker = _worker(town, fault)
        await _next(_wire(town, fault), wanted, worker.stop)
        if worker.stopped:
            await _stopped(worker, fault.seconds)

    return act


def _freezing(wanted: Callable[[Link, bytes], bool]) -> Act:
    async def act(town: Town, fault: Fault) -> None:
        proxy = _wire(town, fault)

        def freeze() -> None:
            proxy.conditions = replace(proxy.conditions, frozen=_BOTH)

        await _next(proxy, wanted, freeze)
        await _frozen(town, fault, _BOTH)

    return act


# The network


async def _frozen(town: Town, fault: Fault, ways: frozenset[Way]) -> None:
    town.ledger.note("frozen", pid=_worker(town, fault).pid)
    await _under(_wire(town, fault), fault.seconds, frozen=ways)


async def _under(proxy: Proxy, seconds: float, **conditions: Any) -> None:
    before = {name: getattr(proxy.conditions, name) for name in conditions if name != "frozen"} | {"frozen": frozenset()}
    proxy.set(replace(proxy.conditions, **conditions))
    await asyncio.sleep(seconds)
    proxy.set(replace(proxy.conditions, **before))


async def _freeze(town: Town, fault: Fault) -> None:
    await _frozen(town, fault, _BOTH)


async def _freeze_replies(town: Town, fault: Fault) -> None:
    await _frozen(town, fault, frozenset({"down"}))


async def _freeze_api(town: Town, fault: Fault) -> None:
    await _under(town.back, fault.seconds, frozen=_BOTH)


def _slowing(**conditions: Any) -> Act:
    async def act(town: Town, fault: Fault) -> None:
        town.ledger.note("frozen", pid=_worker(town, fault).pid)
        await _under(_wire(town, fault), fault.seconds, **conditions)

    return act


def _cutting(*, reset: bool) -> Act:
    async def act(town: Town, fault: Fault) -> None:
        proxies = [*town.wires, town.back, town.front]
        cut = proxies[fault.target % len(proxies)].cut(reset=reset)
        town.ledger.note("cut", links=cut)

    return act


# The database


def _database(act: Act) -> Act:
    """One of these at a time."""

    async def alone(town: Town, fault: Fault) -> None:
        async with town.one_outage:
            await act(town, fault)

    return alone


async def _restart_fast(town: Town, fault: Fault) -> None:
    await town.restart_database("fast", fault.seconds)


async def _restart_immediate(town: Town, fault: Fault) -> None:
    await town.restart_database("immediate", fault.seconds)


async def _kill_database(town: Town, fault: Fault) -> None:
    await town.restart_database("kill", fault.seconds)


async def _crash_database(town: Town, fault: Fault) -> None:
    await town.crash_database()


async def _end_sessions(town: Town, fault: Fault) -> None:
    await town.database.end_sessions()


async def _exhaust(town: Town, fault: Fault) -> None:
    town.ledger.note("exhausted", connections=await town.database.exhaust(fault.seconds))


async def _snapshot(town: Town, fault: Fault) -> None:
    """Somebody's report reads in one long transaction, so that no dead row may be cleaned away."""
    conn = await asyncpg.connect(town.own_url)
    async with conn.transaction(isolation="repeatable_read"):
        await conn.fetchval("select count(*) from job_runs")
        town.ledger.note("snapshot")
        await asyncio.sleep(fault.seconds)
    town.ledger.note("snapshot over")
    await conn.close()


async def _fill_disk(town: Town, fault: Fault) -> None:
    async with _ballast(town):
        town.ledger.note("full")
        await asyncio.sleep(fault.seconds)
    town.ledger.note("freed")


@asynccontextmanager
async def _ballast(town: Town) -> AsyncIterator[None]:
    assert town.scenario.disk, "this would fill a disk that others use"
    ballast = town.state / "ballast"
    with ballast.open("wb") as file, suppress(OSError):
        while True:
            file.write(bytes(2**20))
            file.flush()
    try:
        yield
    finally:
        ballast.unlink()


# Runs that are no good


def _caller(town: Town, fault: Fault) -> Client:
    return Client(town.bell, town.http, "extra", Random(fault.target), town.scenario)


async def _poison(town: Town, fault: Fault) -> None:
    town.ledger.note("poison")
    caller = _caller(town, fault)
    await asyncio.gather(*(caller.call(f"poison-{job_type}-{fault.at}", asyncio.Event(), job_type) for job_type in POISON))


FAULTS: dict[str, Act] = {
    "kill": _kill,
    "kill_api": _kill_api,
    "stop": _stop,
    "term": _term,
    "term_twice": _term_twice,
    "term_and_kill": _term_and_kill,
    "clutch": _clutch,
    "mail_away": _mail_away,
    "stop_in_heartbeat": _stopping(_of("tawny-worker")),
    "stop_in_write": _stopping(_of("tawny-writer")),
    "stop_in_transaction": _stopping(_of("tawny-handlers", b"chaos_effects")),
    "stop_at_commit": _stopping(_of("tawny-handlers", b"COMMIT")),
    "freeze_in_write": _freezing(_of("tawny-writer")),
    "freeze_in_heartbeat": _freezing(_of("tawny-worker")),
    "freeze_at_commit": _freezing(_of("tawny-handlers", b"COMMIT")),
    "freeze": _freeze,
    "freeze_replies": _freeze_replies,
    "freeze_api": _freeze_api,
    "reset": _cutting(reset=True),
    "close": _cutting(reset=False),
    "slow": _slowing(latency=0.3),
    "trickle": _slowing(trickle=1.0),
    "cut_commit": _slowing(cut_after=b"COMMIT"),
    "restart_fast": _database(_restart_fast),
    "restart_immediate": _database(_restart_immediate),
    "kill_database": _database(_kill_database),
    "crash_database": _database(_crash_database),
    "end_sessions": _database(_end_sessions),
    "exhaust": _database(_exhaust),
    "snapshot": _snapshot,
    "fill_disk": _fill_disk,
    "poison": _poison,
}
