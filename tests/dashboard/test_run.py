"""The page of one run."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from tests.dashboard.site import Site, said

from tawny import runs
from tawny.dashboard.run import bars
from tawny.history import Event, Timeline, fold
from tawny.runs import Flushed, LogLine

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


async def test_secrets_are_masked_wherever_params_are_shown(site: Site) -> None:
    params = {"api_key": "hushhush", "nested": {"password": "quiet"}, "month": "2026-01", "token": None}
    run_id = await site.world.made(job_type="import", params=params)
    page = await site.get(f"runs/{run_id}")
    assert "hushhush" not in page.text
    assert "quiet" not in page.text
    assert '"api_key": "••••••••"' in said(page)
    assert '"token": null' in said(page)
    again = await site.get("run-a-job", params={"from": str(run_id)})
    assert "hushhush" not in again.text


async def test_it_can_be_copied_for_a_shell_and_a_program(site: Site) -> None:
    run_id = await site.world.made(params={"month": "it's"})
    page = said(await site.get(f"runs/{run_id}"))
    assert "Authorization: Bearer $TAWNY_API_KEY" in page
    assert f"tawny jobs trigger export --team {site.world.team_id} --project {site.world.project_id} --wait" in page
    assert "client.jobs.trigger('export'" in page


async def test_a_cancel_is_asked_for_and_then_done(site: Site) -> None:
    run_id = await site.world.made()
    asked = await site.fragment(f"runs/{run_id}/cancel")
    assert "Cancel this run of export?" in said(asked)
    assert "<html" not in asked.text
    done = await site.post(f"runs/{run_id}/cancel")
    assert done.headers["location"] == f"{site.team}/runs/{run_id}"
    assert "Cancelled" in said(await site.get(f"runs/{run_id}"))
    again = await site.post(f"runs/{run_id}/cancel")
    assert again.status_code == 400
    assert "can be cancelled; this one is cancelled" in said(again)


async def test_a_member_may_cancel_and_not_retry(member: Site) -> None:
    run_id = await member.world.made()
    page = said(await member.get(f"runs/{run_id}"))
    assert "Cancel" in page
    assert "run again" not in page
    assert (await member.post(f"runs/{run_id}/cancel")).status_code == 303
    assert "/retry" not in (await member.get(f"runs/{run_id}")).text
    assert (await member.post(f"runs/{run_id}/retry")).status_code == 403


async def test_a_retry_goes_to_the_new_run_and_names_one_that_is_in_the_way(site: Site) -> None:
    run_id = await site.world.ended("failed")
    made = await site.post(f"runs/{run_id}/retry")
    assert made.status_code == 303
    again = await site.post(f"runs/{run_id}/retry")
    assert again.status_code == 409
    assert f'href="{made.headers["location"]}"' in again.text


async def test_the_log_is_shown_from_its_end_filtered_and_searched(site: Site) -> None:
    run_id = await _written(site, *(LogLine(n, 40 if n == 250 else 20, f"line <{n}>", None, NOON) for n in range(1, 251)))
    page = await site.get(f"runs/{run_id}")
    assert page.text.count("data-seq=") == 200
    assert "line <250>" in said(page)
    assert "<250>" not in page.text
    assert "Show earlier lines" in said(page)
    older = await site.fragment(f"runs/{run_id}/logs", params={"before": 51})
    assert older.text.count("data-seq=") == 50
    assert 'id="lines"' not in older.text
    assert (await site.fragment(f"runs/{run_id}/logs", params={"level": "error"})).text.count("data-seq=") == 1
    assert (await site.fragment(f"runs/{run_id}/logs", params={"search": "LINE <9"})).text.count("data-seq=") == 11
    assert "No line matches" in said(await site.fragment(f"runs/{run_id}/logs", params={"search": "nothing"}))
    assert (await site.fragment(f"runs/{run_id}/logs", params={"after": 249})).text.count("data-seq=") == 1
    assert (await site.fragment(f"runs/{run_id}/logs", params={"level": "loud"})).status_code == 400


async def _written(site: Site, *lines: LogLine) -> UUID:
    _, claimed = await site.world.running()
    await runs.flush(site.world.conn, [Flushed((claimed.id, claimed.attempt), logs=lines, lines=len(lines), bytes=0, dropped=0)])
    return claimed.id
