"""How fast one credential may ask for runs."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import httpx
import pytest
from tests.waiting import until

from api.world import World, refusal, serve
from tawny.access import Actor
from tawny.api.pace import Pace
from tawny.db.ids import uuid7
from tawny.errors import TooManyRequests


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def key(key_id: UUID | None = None) -> Actor:
    return Actor("api_key", key_id or uuid7())


def granted(pace: Pace, actor: Actor, asked: int = 1000) -> int:
    """How many requests go through before one is refused, of so many."""
    for count in range(asked):
        try:
            pace.spend(actor)
        except TooManyRequests:
            return count
    return asked


def test_five_seconds_worth_go_at_once_and_then_so_many_a_second(clock: Clock) -> None:
    pace, actor = Pace(8, clock), key()
    assert granted(pace, actor) == 40
    assert granted(pace, actor) == 0
    clock.now += 0.25
    assert granted(pace, actor) == 2
    clock.now += 3600
    assert granted(pace, actor) == 40


def test_what_is_refused_is_not_counted(clock: Clock) -> None:
    pace, actor = Pace(8, clock), key()
    granted(pace, actor)
    for _ in range(100):
        assert granted(pace, actor) == 0
    clock.now += 1
    assert granted(pace, actor) == 8


def test_it_says_when_to_come_back(clock: Clock) -> None:
    pace, actor = Pace(1, clock), key()
    granted(pace, actor)
    with pytest.raises(TooManyRequests, match="1 a second") as refused:
        pace.spend(actor)
    assert refused.value.details == {"retry_after": 1}
    clock.now += 1
    pace.spend(actor)


def test_each_actor_has_a_pace_of_its_own(clock: Clock) -> None:
    pace, first = Pace(8, clock), key()
    granted(pace, first)
    assert granted(pace, key()) == 40
    assert granted(pace, Actor("user", uuid7())) == 40
    assert granted(pace, first) == 0


def test_zero_is_no_limit_and_the_host_has_none(clock: Clock) -> None:
    assert granted(Pace(0, clock), key()) == 1000
    assert granted(Pace(1, clock), Actor.host()) == 1000


def test_what_it_remembers_is_bounded(clock: Clock) -> None:
    pace, first = Pace(1, clock), key()
    granted(pace, first)
    for _ in range(10_001):
        pace.spend(key())
    assert len(pace._paid_until) == 10_000


async def test_who_floods_is_slowed_down_and_nobody_else(world: World, database_url: str, tmp_path: Path) -> None:
    await world.made()
    path = f"/v1/teams/{world.team_id}/jobs/trigger"
    body = {"job_type": "export", "project_id": str(world.project_id)}
    with serve(database_url, tmp_path, trigger_rate=16) as slow:

        def asking(credential: str) -> dict[str, dict[str, str]]:
            return {"headers": {"authorization": f"Bearer {credential}"}}

        async def ask(credential: str) -> int:
            return (await world.http.post(f"{slow.url}{path}", json=body, **asking(credential))).status_code

        statuses = [await ask(world.key) for _ in range(80)]
        assert set(statuses) == {409}

        async def slowed_down() -> httpx.Response | None:
            """The first refusal; the seconds that the requests before it took have paid for some more."""
            answer = await world.http.post(f"{slow.url}{path}", json=body, **asking(world.key))
            return answer if answer.status_code == 429 else None

        refused = await until(slowed_down, "the refusal of a credential that asks without a pause")
        assert refused
        assert refusal(refused) == (429, "too_many_requests")
        assert refused.headers["retry-after"] == "1"
        assert await ask(await world.add_key()) == 409
        assert await ask(await world.token(world.owner_id)) == 409
        listed = await world.http.get(f"{slow.url}/v1/teams/{world.team_id}/jobs", **asking(world.key))
        assert listed.status_code == 200
    assert (await world.trigger()).status_code == 409  # another server counts for itself
