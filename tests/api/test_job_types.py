"""GET /v1/job-types."""

from __future__ import annotations

from api.world import World


async def test_job_types_say_what_can_be_run_and_what_it_takes(world: World) -> None:
    answer = await world.send("GET", "/v1/job-types")
    assert answer.status_code == 200
    export, import_, sweep, sync = answer.json()["job_types"]
    schema = export.pop("params_schema")
    assert export == {
        "name": "export",
        "label": "Export",
        "description": "Exports a month.",
        "scope": "project",
        "schedule": None,
        "retries": 2,
        "timeout_seconds": 60,
    }
    assert set(schema["properties"]) == {"month", "count", "dry_run"}
    assert import_["name"] == "import"
    assert (sync["name"], sync["scope"], sync["label"]) == ("revenuecat_sync", "project", "RevenueCat sync")
    assert (sweep["scope"], sweep["schedule"]) == ("system", {"cron": "0 2 * * *", "timezone": "UTC"})


async def test_what_a_schema_allows_a_trigger_takes(world: World) -> None:
    types = (await world.send("GET", "/v1/job-types")).json()["job_types"]
    defaults = {name: about["default"] for name, about in types[0]["params_schema"]["properties"].items()}
    assert (await world.trigger(params=defaults)).status_code == 201


async def test_job_types_are_refused_to_who_is_in_no_team(world: World) -> None:
    user = await world.add_user("member")
    await world.conn.execute("delete from memberships where user_id = $1", user.id)
    answer = await world.send("GET", "/v1/job-types", as_=await world.token(user.id))
    assert (answer.status_code, answer.json()["code"]) == (403, "not_a_member")


async def test_job_types_are_refused_without_one_credential(world: World) -> None:
    assert (await world.send("GET", "/v1/job-types", as_=None)).status_code == 401
    twice = [("authorization", f"Bearer {world.key}")] * 2
    assert (await world.http.get("/v1/job-types", headers=twice)).status_code == 401
