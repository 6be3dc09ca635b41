"""The list of runs."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from tests.dashboard.site import Site, said

from tawny.access import create_project
from tawny.runs import Flushed, flush


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


async def test_counts_stand_at_the_statuses(site: Site) -> None:
    await site.world.ended("failed")
    await site.world.made()
    page = said(await site.get("runs"))
    assert "Pending 1 Running 0 Completed 0 Failed 1 Cancelled 0" in page


async def test_params_are_searched_and_it_is_said_how_far(site: Site) -> None:
    await site.world.ended(params={"month": "needle"})
    await site.world.ended(params={"month": "hay"})
    assert (await site.get("runs", params={"search": "NEEDLE"})).text.count("data-run=") == 1
    with patch("tawny.runs.find.SEARCHED", 1):
        page = await site.get("runs", params={"search": "needle"})
    assert "The newest 10,000 runs were searched. Search older ones" in said(page)


async def test_ticked_runs_are_cancelled_once_it_was_asked(site: Site) -> None:
    one = await site.world.made()
    other = await site.world.made(project_id=str(await site.world.add_project()))
    ids = [str(one), str(other)]
    asked = await site.fragment("runs/bulk", params={"action": "cancel", "ids": ids})
    assert "Cancel 2 runs" in said(asked)
    assert (await site.post("runs/bulk", action="cancel", ids=ids)).status_code == 303
    assert "Cancelled 2" in said(await site.get("runs"))
    again = await site.post("runs/bulk", action="cancel", ids=ids)
    assert "0 of 2 runs cancelled" in said(again)
    assert "this one is cancelled" in said(again)


async def test_all_that_match_are_retried_by_a_run_of_its_own(site: Site) -> None:
    for _ in range(2):
        await site.world.ended("failed", project_id=str(await site.world.add_project()))
    asked = await site.fragment("runs/bulk", params={"action": "retry", "status": "failed", "job_type": "export"})
    assert "Retry 2 runs" in said(asked)
    assert 'name="job_type" value="export"' in asked.text
    done = await site.post("runs/bulk", action="retry", status="failed", job_type="export")
    assert "tawny.bulk" in said(await site.get(done.headers["location"]))


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"action": "retry"}, "None of the runs that match can be retried."),
        ({"action": "retry", "status": "running"}, "filter.status should be failed, cancelled or completed for a retry."),
        ({"action": "cancel", "search": "x"}, "What was found by a search can only be ticked"),
    ],
)
async def test_what_cannot_be_done_is_said_before(params: dict[str, str], sentence: str, site: Site) -> None:
    asked = await site.fragment("runs/bulk", params=params)
    assert sentence in said(asked)
    assert "primary" not in asked.text


async def test_a_member_may_cancel_ticked_runs_and_not_retry_them(member: Site) -> None:
    run_id = str(await member.world.made())
    assert (await member.post("runs/bulk", action="retry", ids=[run_id])).status_code == 403
    assert (await member.post("runs/bulk", action="cancel")).status_code == 403
    assert (await member.post("runs/bulk", action="cancel", ids=[run_id])).status_code == 303


@pytest.mark.parametrize(
    "fields", [{"action": "explode"}, {"action": "cancel", "ids": ["x"]}, {"action": "cancel", "ids": ["x"] * 201}]
)
async def test_a_wrong_request_for_many_runs_is_refused(fields: dict[str, list[str]], site: Site) -> None:
    assert (await site.post("runs/bulk", **fields)).status_code == 400


async def test_progress_without_words_is_shown_too(site: Site) -> None:
    _, claimed = await site.world.running()
    await flush(site.world.conn, [Flushed((claimed.id, claimed.attempt), progress='{"processed": 1, "total": 4}')])
    for address in ("runs", f"runs/{claimed.id}"):
        assert "25 %" in said(await site.get(address))
