"""How a team's runs are doing, on one page."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

from tests.dashboard.site import Site, said

from tawny import runs


async def hours_of(site: Site) -> dict[str, list[Any]]:
    found = re.search(r'data-hours="([^"]+)"', (await site.get("overview")).text)
    assert found
    hours: dict[str, list[Any]] = json.loads(unescape(found[1]))
    return hours


async def test_it_is_where_a_team_begins(site: Site) -> None:
    assert (await site.get()).headers["location"] == f"{site.team}/overview"


async def test_numbers_lead_to_the_runs_behind_them(site: Site) -> None:
    await site.world.ended("failed")
    await site.world.ended()
    await site.world.made()
    page = await site.get("overview")
    assert "Pending 1 now" in said(page)
    assert "Completed 1 in 24 hours" in said(page)
    assert "Failed 1 in 24 hours" in said(page)
    assert "Failure rate 50 % of the newest 2" in said(page)
    assert f'href="{site.team}/runs?status=failed&amp;since=24h"' in page.text
    assert f'href="{site.team}/runs?status=pending"' in page.text
    assert f'href="{site.team}/runs?status=failed&amp;job_type=export&amp;since=24h"' in page.text
    for href in re.findall(r'href="([^"]+/runs\?[^"]+)"', page.text):
        assert (await site.get(unescape(href))).status_code == 200


async def test_the_chart_has_an_hour_for_each_of_a_day(site: Site) -> None:
    await site.world.ended("failed")
    await site.world.ended("cancelled")
    hours = await hours_of(site)
    assert {len(series) for series in hours.values()} == {24}
    assert (hours["failed"][-1], hours["cancelled"][-1], hours["completed"][-1], hours["share"][-1]) == (1, 1, 0, 1.0)
    assert hours["share"][0] is None


async def test_there_is_nothing_yet(site: Site) -> None:
    page = said(await site.get("overview"))
    assert "Nothing has run yet" in page
    assert "Failure rate – nothing to measure" in page


async def test_where_no_worker_lives_that_is_told(site: Site) -> None:
    await site.world.conn.execute("update workers set leased_until = now() - interval '1 hour'")
    assert "No worker is alive" in said(await site.get("overview"))
    await runs.enlist(site.world.conn, name="test:9", version="0", lease=60)
    page = said(await site.get("overview"))
    assert "No worker is alive" not in page
    assert "Workers 1 alive" in page


async def test_a_type_that_fails_leads_to_its_failures(site: Site) -> None:
    for _ in range(5):
        await site.world.ended("failed", job_type="import")
    page = await site.get("overview")
    assert "import fails 5 of the newest 5 runs that were carried out failed." in said(page)
    assert f'href="{site.team}/errors?job_type=import&amp;since=24h">See the failures' in page.text


async def test_a_webhook_that_tawny_disabled_leads_to_its_page(site: Site) -> None:
    await site.post("settings/webhooks", name="Bot", url="https://8.8.8.8/", format="json", events=["failed"])
    assert "webhook" not in said(await site.get("overview"))
    await site.world.conn.execute("update webhooks set enabled = false, disabled_because = '3 messages were not taken.'")
    page = await site.get("overview")
    assert "The webhook “Bot” is disabled 3 messages were not taken. See the webhook" in said(page)
    webhook_id = await site.world.conn.fetchval("select id from webhooks")
    assert f'href="{site.team}/settings/webhooks/{webhook_id}">See the webhook' in page.text


async def test_htmx_is_sent_the_numbers_alone(site: Site) -> None:
    part = await site.fragment("overview")
    assert "<html" not in part.text
    assert 'id="tiles"' in part.text


async def test_runs_of_other_teams_are_not_in_it(site: Site) -> None:
    other, _ = await site.world.add_team()
    project = await site.world.add_project(other)
    key = await site.world.add_key(team_id=other)
    await site.world.ended("failed", as_=key, team_id=other, project_id=str(project))
    assert "Failed 0 in 24 hours" in said(await site.get("overview"))
