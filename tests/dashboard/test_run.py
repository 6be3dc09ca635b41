"""The page of one run."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from tests.dashboard.site import Site, said

from tawny import runs
from tawny.dashboard.run import bars
from tawny.history import Event, Timeline, fold

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


async def test_a_run_says_what_it_was_asked_and_who_by(site: Site) -> None:
    run_id = await site.world.made(params={"month": "2026-03"})
    page = await site.get(f"runs/{run_id}")
    assert "No worker has taken it yet" in said(page)
    assert '"month": "2026-03"' in said(page)
    assert "Project P" in said(page)
    assert "Triggered by key" in said(page)


async def test_a_failed_run_says_why(site: Site) -> None:
    _, claimed = await site.world.running()
    await site.world.finish(claimed, "failed", error="It broke <b>here</b>.", code="handler_failed", traceback="line 1\nline 2")
    page = await site.get(f"runs/{claimed.id}")
    assert "Failed. It broke <b>here</b>." in said(page)
    assert "<b>here</b>" not in page.text
    assert "Traceback" in said(page)


async def test_a_cancel_that_is_on_its_way_is_shown(site: Site) -> None:
    _, claimed = await site.world.running()
    await runs.cancel(site.world.conn, site.world.owner, claimed.id)
    page = said(await site.get(f"runs/{claimed.id}"))
    assert "asked for it to stop" in page
    assert "Stopping" in page


async def test_a_member_sees_a_run(member: Site) -> None:
    run_id = await member.world.made()
    assert "Triggered by An agent key" in said(await member.get(f"runs/{run_id}"))


async def test_a_run_of_others_is_nowhere_also_under_the_visitors_own_team(site: Site) -> None:
    other, _ = await site.world.add_team()
    theirs = await site.world.add_project(other)
    key = await site.world.add_key(team_id=other)
    run_id = await site.world.made(as_=key, team_id=other, project_id=str(theirs))
    assert (await site.get(f"runs/{run_id}")).status_code == 404
    assert (await site.get("runs/x")).status_code == 404


async def test_a_retry_is_linked_both_ways(site: Site) -> None:
    first = await site.world.ended("failed")
    second = (await site.world.retry(first)).json()["job_run"]["id"]
    assert f"Retried by {second[-8:]}" in said(await site.get(f"runs/{first}"))
    assert f"Retry of {str(first)[-8:]}" in said(await site.get(f"runs/{second}"))


def test_attempts_share_one_line_from_the_first_due_to_the_last_end() -> None:
    def at(second: int) -> datetime:
        return NOON.replace(second=second)

    events = [
        Event(1, "triggered", 0, at(0)),
        Event(2, "started", 1, at(2)),
        Event(3, "retrying", 1, at(5), {"run_at": at(7).isoformat()}),
        Event(4, "started", 2, at(8)),
    ]
    timeline = Timeline(UUID(int=1), "running", None, None, [], fold(events), events)
    drawn = [(bar.due, bar.started, bar.ended) for bar in bars(timeline, at(10))]
    assert drawn == [(0, 200, 500), (700, 800, 1000)]
