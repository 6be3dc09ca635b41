"""Schedules: when they are due, what became of it, and what can be done."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.dashboard.site import Site, said

from tawny import access, schedules
from tawny.access import Actor
from tawny.dashboard.cron_words import cron_in_words
from tawny.schedules import Schedule
from tawny.schedules.plan import Tick
from tawny.schedules.write import write_ticks

PAYLOAD = '<img src=x onerror="alert(1)">'
DAILY = {"cron": "30 2 * * *", "timezone": "Europe/Vienna", "catch_up": "last"}


async def made(site: Site, **given: Any) -> Schedule:
    world = site.world
    jobs = world.served.api.state.tawny.jobs
    given = {"job_type": "export", **DAILY} | given
    return await schedules.create_schedule(world.conn, world.owner, jobs, world.project_id, **given)


def path_of(schedule: Schedule) -> str:
    return f"schedules/{schedule.project_id}/{schedule.id}"


async def as_it_is(site: Site, schedule: Schedule) -> Schedule:
    found, _ = await schedules.find_schedule(site.world.conn, site.world.owner, schedule.project_id, schedule.id)
    return found


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 2 * * *", "At 02:00"),
        ("*/15 * * * *", "Every 15 minutes"),
        ("0 9 * * 1-5", "At 09:00, Monday through Friday"),
        ("0 0 13 * 5", "At 00:00, on day 13 of the month, or on Friday"),
        ("0 0 * * 7", "At 00:00, only on Sunday"),
        ("0 0 LW * *", "At 00:00, on the last weekday of the month"),
        ("0 9 * * 1#1", "At 09:00, on the first Monday of the month"),
        ("no words", "no words"),
    ],
)
def test_an_expression_is_told_in_words(expression: str, words: str) -> None:
    assert cron_in_words(expression) == words


async def test_the_list_says_when_each_is_due(site: Site) -> None:
    assert "Nothing starts by itself yet" in said(await site.get("schedules"))
    schedule = await made(site)
    page = await site.get("schedules")
    assert "export P At 02:30 30 2 * * * · Europe/Vienna" in said(page)
    assert f'href="{site.team}/{path_of(schedule)}"' in page.text
    assert "not yet" in said(page)


async def test_the_list_can_be_of_one_project(site: Site) -> None:
    await made(site)
    other = await site.world.add_project()
    assert "Nothing starts by itself" in said(await site.get("schedules", params={"project_id": str(other)}))
    assert "At 02:30" in said(await site.get("schedules", params={"project_id": str(site.world.project_id)}))


async def test_next_times_are_those_of_its_zone(site: Site) -> None:
    schedule = await made(site)
    page = said(await site.get(path_of(schedule)))
    assert len(re.findall(r"\w{3} \d\d \w{3} \d{4}, 02:30 CES?T", page)) == 6  # the first is also told where its history will be
    assert "At 02:30" in page


async def test_history_says_what_became_of_each_due_time(site: Site) -> None:
    schedule = await made(site)
    run_id = await site.world.ended("failed")
    now = datetime.now(UTC).replace(microsecond=0)
    ticks = [
        Tick(due_at=now - timedelta(days=3), decision="missed", reason="nothing ran at that time", times=4, until=now),
        Tick(due_at=now - timedelta(days=2), decision="skipped_active", run_id=run_id),
        Tick(due_at=now - timedelta(days=1), decision="started", run_id=run_id),
    ]
    await write_ticks(site.world.conn, [(schedule.id, site.world.team_id, tick) for tick in ticks])
    page = await site.get(path_of(schedule))
    strip = page.text.partition('class="strip"')[2].partition("</ol>")[0]
    assert re.findall(r'class="status (\w+)"', strip) == ["lost", "cancelling", "failed"]
    assert strip.count(f'href="{site.team}/runs/{run_id}"') == 2
    assert "Started: failed" in said(page)
    assert "and 3 more" in said(page)
    assert "Started now" in said(await site.get("schedules"))


async def test_a_run_leads_to_the_schedule_that_started_it(site: Site) -> None:
    schedule = await made(site)
    run_id, by_hand = await site.world.made(), await site.world.made(job_type="import")
    now = datetime.now(UTC).replace(microsecond=0)
    tick = Tick(due_at=now, decision="started", run_id=run_id)
    await write_ticks(site.world.conn, [(schedule.id, site.world.team_id, tick)])
    await site.world.conn.execute("update job_runs set triggered_by = 'schedule' where id = any($1)", [run_id, by_hand])
    link = f'href="{site.team}/{path_of(schedule)}">Schedule</a>'
    assert link in (await site.get(f"runs/{run_id}")).text
    assert link not in (await site.get(f"runs/{by_hand}")).text
    await site.post(f"{path_of(schedule)}/delete")
    assert link not in (await site.get(f"runs/{run_id}")).text


async def test_htmx_is_sent_the_schedule_alone(site: Site) -> None:
    schedule = await made(site)
    for path in ("schedules", path_of(schedule)):
        assert "<html" not in (await site.fragment(path)).text


async def test_a_schedule_is_made_with_params_of_its_job(site: Site) -> None:
    assert "What should start by itself?" in said(await site.get("schedules/new"))
    form = await site.get("schedules/new", params={"job_type": "export"})
    assert 'name="param.month"' in form.text
    sent = DAILY | {"job_type": "export", "project_id": str(site.world.project_id), "param.month": "2026-05", "param.count": "3"}
    answer = await site.post("schedules", **sent)
    assert answer.status_code == 303
    page = said(await site.get(answer.headers["location"]))
    assert '"month": "2026-05"' in page
    assert '"count": 3' in page


@pytest.mark.parametrize(
    ("field", "text", "told"),
    [
        ("cron", "99 * * * *", "cron"),
        ("timezone", "Mars/Olympus", "timezone must be a name"),
        ("project_id", "", "Choose a project"),
        ("param.count", PAYLOAD, "count"),
        ("catch_up", "some", "catch_up should be"),
    ],
)
async def test_what_does_not_fit_is_told_beside_its_field(field: str, text: str, told: str, site: Site) -> None:
    sent = DAILY | {"job_type": "export", "project_id": str(site.world.project_id), field: text}
    answer = await site.post("schedules", **sent)
    assert answer.status_code == 400
    assert told in said(answer)
    assert 'role="alert"' in answer.text
    assert PAYLOAD not in answer.text
    assert await schedules.list_schedules(site.world.conn, site.world.owner, site.world.project_id) == []


async def test_a_schedule_is_changed(site: Site) -> None:
    schedule = await made(site, params={"month": "2026-01"})
    form = await site.get(f"{path_of(schedule)}/edit")
    assert 'value="2026-01"' in form.text
    await site.post(f"{path_of(schedule)}/edit", cron="0 5 * * *", timezone="UTC", catch_up="all", **{"param.month": "2026-02"})
    changed = await as_it_is(site, schedule)
    assert (changed.cron, changed.timezone, changed.catch_up) == ("0 5 * * *", "UTC", "all")
    assert changed.params["month"] == "2026-02"
    wrong = await site.post(f"{path_of(schedule)}/edit", cron="x", timezone="UTC", catch_up="all")
    assert wrong.status_code == 400


async def test_a_schedule_is_paused_and_goes_on(site: Site) -> None:
    schedule = await made(site)
    await site.post(f"{path_of(schedule)}/pause", enabled="no")
    assert not (await as_it_is(site, schedule)).enabled
    assert "None while it is paused" in said(await site.get(path_of(schedule)))
    assert "Paused" in said(await site.get("schedules"))
    await site.post(f"{path_of(schedule)}/pause", enabled="yes")
    assert (await as_it_is(site, schedule)).enabled


async def test_run_now_goes_to_the_run_and_once_more_to_the_one_that_is_active(site: Site) -> None:
    schedule = await made(site, params={"month": "2026-09"})
    answer = await site.post(f"{path_of(schedule)}/run")
    run_id = UUID(answer.headers["location"].rpartition("/")[2])
    assert (await site.world.view(run_id)).json()["job_run"]["params"]["month"] == "2026-09"
    again = await site.post(f"{path_of(schedule)}/run")
    assert again.status_code == 409
    assert f'href="{site.team}/runs/{run_id}"' in again.text


async def test_a_schedule_is_deleted_after_a_question(site: Site) -> None:
    schedule = await made(site)
    assert "Delete this schedule of export?" in said(await site.fragment(f"{path_of(schedule)}/delete"))
    answer = await site.post(f"{path_of(schedule)}/delete")
    assert answer.headers["location"] == f"{site.team}/schedules"
    assert (await site.get(path_of(schedule))).status_code == 404


async def test_params_are_text_and_secrets_dots(site: Site) -> None:
    schedule = await made(site, job_type="import", params={"note": PAYLOAD, "api_key": "hush"})
    for path in (path_of(schedule), f"{path_of(schedule)}/edit"):
        page = await site.get(path)
        assert PAYLOAD not in page.text
        assert "onerror" in page.text
    assert "hush" not in (await site.get(path_of(schedule))).text


async def test_a_schedule_of_ones_other_team_is_not_in_this_one(site: Site) -> None:
    schedule = await made(site)
    team_id, owner_id = await site.world.add_team()
    me = (await access.list_members(site.world.conn, site.world.owner, site.world.team_id))[-1].user_id
    owner = Actor("user", owner_id, {team_id: "owner"}, user_id=owner_id)
    await access.add_member(site.world.conn, owner, team_id, email=await site.world.address_of(me), role="owner")
    site.world.served.api.state.tawny.authenticator._known.clear()
    slug = await site.world.conn.fetchval("select slug from teams where id = $1", team_id)
    assert (await site.get(f"/teams/{slug}/{path_of(schedule)}")).status_code == 404
    assert (await site.post(f"/teams/{slug}/{path_of(schedule)}/run")).status_code == 404
