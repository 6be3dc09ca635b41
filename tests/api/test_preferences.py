"""What somebody wants to be mailed about."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from api.world import World, refusal

ALL = ["completed", "failed", "cancelled"]


async def change(world: World, as_: str | None, **body: Any) -> httpx.Response:
    return await world.send("PATCH", f"/v1/teams/{world.team_id}/preferences", as_=as_, json=body)


async def look(world: World, as_: str) -> Any:
    answer = await world.send("GET", f"/v1/teams/{world.team_id}/preferences", as_=as_)
    assert answer.status_code == 200
    return answer.json()


async def test_who_has_said_nothing_is_mailed_about_every_end(world: World) -> None:
    assert await look(world, await world.token_of("member")) == {"mail_events": ALL}


@pytest.mark.parametrize("events", [["failed"], [], ["cancelled", "failed", "failed"], ALL])
async def test_preferences_are_ones_own(world: World, events: list[str]) -> None:
    member, other = await world.token_of("member"), await world.token_of("member")
    answer = await change(world, member, mail_events=events)
    kept = [event for event in ALL if event in events]
    assert (answer.status_code, answer.json()) == (200, {"mail_events": kept})
    assert await look(world, member) == {"mail_events": kept}
    assert await look(world, other) == {"mail_events": ALL}


async def test_a_change_says_what_it_was_before(world: World) -> None:
    member = await world.token_of("member")
    await change(world, member, mail_events=["failed"])
    await change(world, member, mail_events=["completed"])
    rows = await world.conn.fetch(
        "select changes::text from audit_log where resource_type = 'preferences' order by created_at, id"
    )
    assert {row["changes"] for row in rows} == {
        '{"mail_events": {"after": ["failed"], "before": ["completed", "failed", "cancelled"]}}',
        '{"mail_events": {"after": ["completed"], "before": ["failed"]}}',
    }


async def test_a_key_has_no_preferences(world: World) -> None:
    for method in ("GET", "PATCH"):
        answer = await world.send(method, f"/v1/teams/{world.team_id}/preferences", json={"mail_events": []})
        assert refusal(answer) == (403, "insufficient_permission")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_field"),
        ({"mail_events": "failed"}, "invalid_field"),
        ({"mail_events": None}, "invalid_field"),
        ({"mail_events": [5]}, "invalid_field"),
        ({"mail_events": ["started"]}, "unknown_event"),
        ({"mail_events": ["failed"], "user_id": "x"}, "unknown_field"),
    ],
)
async def test_a_wrong_body_is_refused_by_name(world: World, body: dict[str, Any], code: str) -> None:
    assert refusal(await change(world, await world.token_of("member"), **body)) == (400, code)


async def test_a_mail_is_sent_only_about_what_was_chosen(world: World) -> None:
    from tawny.notifications.statements import queries

    token = await world.token(world.owner_id)
    await change(world, token, mail_events=["failed"])
    for status in ("completed", "failed"):
        await world.ended(status, as_=token, notify=True, project_id=str(await world.add_project()))
    assert await queries.address(world.conn, at_most=10, alert_email=None) == 2
    assert [row["event"] for row in await world.conn.fetch("select event from deliveries")] == ["failed"]
