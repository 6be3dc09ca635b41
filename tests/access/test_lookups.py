"""One question to the database for many requests: what is kept, shared, and forgotten."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from tawny.access import Actor, Role, authenticate
from tawny.access.authenticate import Authenticator
from tawny.access.key_text import new_key
from tawny.db.pool import Connection
from tawny.errors import Unauthenticated

AddUser = Callable[[Role], Awaitable[Actor]]
MakeKey = Callable[..., Awaitable[str]]
TokenOf = Callable[[UUID], Awaitable[str]]

SECRET = b"an own secret for tests, 32 bytes or more"


async def until(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not fact():
            await asyncio.sleep(0.001)


async def test_a_known_credential_costs_no_question(authenticator: Authenticator, make_key: MakeKey, watched: Any) -> None:
    header = f"Bearer {await make_key()}"
    assert authenticator.cached(header) is None
    actor = await authenticator.actor(header)
    assert await authenticator.actor(header) is actor is authenticator.cached(header)
    assert watched.asked == 1


async def test_a_refusal_is_not_kept(authenticator: Authenticator, make_key: MakeKey, conn: Connection) -> None:
    header = f"Bearer {await make_key()}"
    await conn.execute("update api_keys set revoked_at = now()")
    with pytest.raises(Unauthenticated):
        await authenticator.actor(header)
    await conn.execute("update api_keys set revoked_at = null")
    assert (await authenticator.actor(header)).kind == "api_key"


async def test_first_requests_at_once_share_one_lookup(authenticator: Authenticator, make_key: MakeKey, watched: Any) -> None:
    header = f"Bearer {await make_key()}"
    actors = await asyncio.gather(*(authenticator.actor(header) for _ in range(20)))
    assert len({id(actor) for actor in actors}) == 1
    assert watched.asked == 1


async def test_refused_requests_at_once_share_one_lookup_but_no_error(
    authenticator: Authenticator, team_id: UUID, watched: Any
) -> None:
    header = f"Bearer {new_key()[0]}"
    errors = await asyncio.gather(*(authenticator.actor(header) for _ in range(5)), return_exceptions=True)
    assert {type(error) for error in errors} == {Unauthenticated}
    assert len({id(error) for error in errors}) == 5
    assert watched.asked == 1


async def test_the_first_to_ask_may_go_away(authenticator: Authenticator, make_key: MakeKey, watched: Any) -> None:
    header = f"Bearer {await make_key()}"
    gate = asyncio.Event()
    watched.gate = gate.wait
    first, second = (asyncio.create_task(authenticator.actor(header)) for _ in range(2))
    await until(lambda: watched.asked == 1)
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    gate.set()
    assert (await second).kind == "api_key"
    assert watched.asked == 1


async def test_a_lookup_that_failed_is_not_kept(authenticator: Authenticator, make_key: MakeKey, watched: Any) -> None:
    header = f"Bearer {await make_key()}"
    watched.failure = ConnectionRefusedError("no database")
    errors = await asyncio.gather(*(authenticator.actor(header) for _ in range(3)), return_exceptions=True)
    assert {type(error) for error in errors} == {ConnectionRefusedError}
    watched.failure = None
    assert (await authenticator.actor(header)).kind == "api_key"


async def test_a_failure_that_nobody_waits_for_is_silent(authenticator: Authenticator, make_key: MakeKey, watched: Any) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    header = f"Bearer {await make_key()}"
    gate = asyncio.Event()
    watched.gate, watched.failure = gate.wait, ConnectionRefusedError("no database")
    asking = asyncio.create_task(authenticator.actor(header))
    await until(lambda: watched.asked == 1)
    asking.cancel()
    await asyncio.wait([asking])
    gate.set()
    await until(lambda: not authenticator._lookups)
    gc.collect()
    assert complaints == []


async def test_whoever_asks_late_does_not_get_an_old_answer(
    authenticator: Authenticator, make_key: MakeKey, conn: Connection, watched: Any, clock: Any
) -> None:
    """A question that hangs is not joined any more once its answer could be older than half a second."""
    header = f"Bearer {await make_key()}"
    gate = asyncio.Event()
    watched.gate = gate.wait
    early = asyncio.create_task(authenticator.actor(header))
    await until(lambda: watched.asked == 1)
    clock.now += 0.5
    late = asyncio.create_task(authenticator.actor(header))
    await until(lambda: watched.asked == 2)
    gate.set()
    assert (await early) == (await late)
    await until(lambda: not authenticator._lookups)


async def test_the_cache_is_bounded_and_forgets_the_oldest(
    authenticator: Authenticator, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    monkeypatch.setattr(authenticate, "CACHE_SIZE", 3)
    headers = [f"Bearer {await make_key()}" for _ in range(5)]
    for header in headers:
        await authenticator.actor(header)
        clock.now += 0.01
    assert [authenticator.cached(header) is not None for header in headers] == [False, False, True, True, True]


async def test_what_has_expired_is_forgotten(authenticator: Authenticator, make_key: MakeKey, clock: Any) -> None:
    for _ in range(3):
        await authenticator.actor(f"Bearer {await make_key()}")
    clock.now += 0.5
    await authenticator.actor(header := f"Bearer {await make_key()}")
    assert list(authenticator._known) == [header]


async def test_no_secret_is_in_what_is_printed(authenticator: Authenticator, make_key: MakeKey) -> None:
    text = await make_key()
    actor = await authenticator.actor(f"Bearer {text}")
    printed = repr(authenticator) + repr(actor) + repr(asyncio.all_tasks())
    assert text not in printed
    assert SECRET.decode() not in printed
