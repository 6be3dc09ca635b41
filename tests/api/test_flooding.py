"""How fast one credential may ask for runs."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from tests.waiting import until

from api.world import World, refusal, serve


@pytest.mark.slow
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
