"""The list of runs."""

from __future__ import annotations

import pytest
from tests.dashboard.site import Site, said

from tawny.access import create_project


async def test_a_row_says_how_a_run_is(site: Site) -> None:
    _, claimed = await site.world.running()
    page = await site.get("runs")
    assert page.status_code == 200
    assert "Running export P key" in said(page)
    assert f'href="{site.team}/runs/{claimed.id}"' in page.text


async def test_there_is_nothing_yet(site: Site) -> None:
    assert "No runs yet" in said(await site.get("runs"))


async def test_filters_are_in_the_address_and_can_be_taken_away(site: Site) -> None:
    await site.world.ended("failed")
    shown = await site.get("runs", params={"status": "failed", "job_type": "export", "since": "1h"})
    assert "Failed export" in said(shown)
    assert f'href="{site.team}/runs?status=failed&amp;since=1h"' in shown.text
    assert "No run matches" in said(await site.get("runs", params={"status": "completed"}))


async def test_a_form_that_leaves_fields_empty_shows_everything(site: Site) -> None:
    await site.world.made()
    shown = await site.get("runs", params={"status": "", "job_type": "", "project_id": "", "since": ""})
    assert "Pending export" in said(shown)


async def test_a_filter_that_is_none_is_told_in_words(site: Site) -> None:
    answer = await site.get("runs", params={"status": "done"})
    assert answer.status_code == 400
    assert "should be one of pending, running" in said(answer)


async def test_pages_follow_each_other(site: Site) -> None:
    for _ in range(51):
        await site.world.ended()
    first = (await site.get("runs")).text
    older = first.partition('rel="next"')[0].rpartition('<a class="button" href="')[2].partition('"')[0]
    second = await site.get(older.replace("&amp;", "&"))
    assert first.count("data-run=") == 50
    assert second.text.count("data-run=") == 1
    assert "Newest" in said(second)


async def test_htmx_is_sent_the_list_alone(site: Site) -> None:
    await site.world.made()
    part = await site.fragment("runs")
    assert "<html" not in part.text
    assert 'id="rows"' in part.text


async def test_who_triggered_is_told_by_name(site: Site) -> None:
    address = await site.world.address_of(site.world.owner_id)
    await site.world.made(as_=await site.world.token(site.world.owner_id))
    assert address in said(await site.get("runs"))


async def test_names_are_text_whatever_is_in_them(site: Site) -> None:
    payload = '<img src=x onerror="alert(1)">'
    project = await create_project(site.world.conn, site.world.owner, site.world.team_id, name=payload, slug="x")
    await site.world.made(project_id=str(project.id), params={"month": payload})
    page = await site.get("runs")
    assert payload not in page.text
    assert payload in said(page).replace("&#34;", '"')


async def test_a_member_is_offered_what_they_may(member: Site) -> None:
    page = said(await member.get())
    assert "Open a run" in page
    assert "Run a job" not in page
    run_id = await member.world.made()
    answer = await member.get("runs/open", params={"run_id": f" {run_id} "})
    assert answer.headers["location"] == f"{member.team}/runs/{run_id}"


@pytest.mark.parametrize("query", ["a=%ff", "&".join("x=1" for _ in range(501))])
async def test_an_address_that_cannot_be_read_is_told_so(query: str, site: Site) -> None:
    assert (await site.get(f"runs?{query}")).status_code == 400
