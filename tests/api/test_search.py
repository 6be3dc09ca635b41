"""GET /v1/teams/:teamId/jobs?search=: text in params."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from api.world import World, refusal


async def found(world: World, search: str, **more: Any) -> list[str]:
    answer = await world.list(search=search, **more)
    assert answer.status_code == 200, answer.text
    return [run["params"]["month"] for run in answer.json()["job_runs"]]


async def with_months(world: World, *months: str) -> None:
    for month in months:
        await world.ended(params={"month": month})


async def test_text_in_params_is_found_in_any_case(world: World) -> None:
    await with_months(world, "März 2026", "April 2026", "MÄRZ 2025")
    assert await found(world, "märz") == ["MÄRZ 2025", "März 2026"]
    assert await found(world, "märz", status="failed") == []
    assert await found(world, '"month": "April') == ["April 2026"]


@pytest.mark.parametrize("text", ["%", "_", "\\", "(a+)+$", "' or 1=1 --", "*"])
async def test_what_is_searched_for_is_text_and_no_pattern(world: World, text: str) -> None:
    await with_months(world, "plain")
    assert await found(world, text) == (["plain"] if text == "_" else [])


async def test_pages_of_a_search_follow_each_other(world: World) -> None:
    await with_months(world, "a1", "b", "a2", "a3", "b", "a4")
    seen, cursor = [], None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = (await world.list(search='"a', limit=2, **more)).json()
        seen += [run["params"]["month"] for run in page["job_runs"]]
        if not (cursor := page["cursor"]):
            break
    assert seen == ["a4", "a3", "a2", "a1"]


async def test_a_search_that_has_looked_at_enough_goes_on_from_there(world: World) -> None:
    await with_months(world, "needle", "x", "x", "x")
    with patch("tawny.runs.find.SEARCHED", 2):
        first = (await world.list(search="needle")).json()
        assert (first["job_runs"], first["has_more"]) == ([], True)
        second = (await world.list(search="needle", cursor=first["cursor"])).json()
        assert [run["params"]["month"] for run in second["job_runs"]] == ["needle"]
        third = (await world.list(search="needle", cursor=second["cursor"])).json()
        assert (third["job_runs"], third["has_more"], third["cursor"]) == ([], False, None)


async def test_runs_of_others_are_never_found(world: World) -> None:
    await with_months(world, "mine")
    other, _ = await world.add_team()
    key = await world.add_key(team_id=other)
    assert (await world.list(as_=key, team_id=other, search="mine")).json()["job_runs"] == []


@pytest.mark.parametrize("text", ["", "x" * 201, "\0"])
async def test_a_search_out_of_bounds_is_refused(world: World, text: str) -> None:
    assert refusal(await world.list(search=text)) == (400, "invalid_parameter")
