"""Who executes the team's runs, on one page."""

from __future__ import annotations

from tests.dashboard.site import Site, said

from tawny import runs


async def test_without_a_worker_the_page_says_how_one_is_started(site: Site) -> None:
    words = said(await site.get("workers"))
    assert "No worker is alive" in words
    assert "tawny work starts one more" in words


async def test_a_worker_is_shown_with_what_it_runs(site: Site) -> None:
    worker_id, claimed = await site.world.running()
    held = [(claimed.id, claimed.attempt)]
    await runs.renew(site.world.conn, worker_id, lease=60, held=held, sign=runs.Sign(memory=84_200_000))
    page = await site.get("workers")
    assert f"test:1 Tawny 0 Alive now export P · {_since(said(page))} 84 MB" in said(page)
    assert f'href="{site.team}/runs/{claimed.id}"' in page.text


def _since(words: str) -> str:
    return words.partition("export P · ")[2].split()[0]


async def test_the_runs_of_others_are_a_number(site: Site) -> None:
    other, _ = await site.world.add_team()
    key, project = await site.world.add_key(team_id=other), await site.world.add_project(other)
    worker_id, _ = await site.world.running(as_=key, team_id=other, project_id=str(project))
    page = await site.get("workers")
    assert "nothing" in said(page)
    await site.world.conn.execute("update workers set running = 1 where id = $1", worker_id)
    page = await site.get("workers")
    assert "1 of other teams or of the server" in said(page)
    assert "export" not in page.text


async def test_one_that_was_stopped_drains_and_one_that_is_frozen_is_silent(site: Site) -> None:
    worker_id, _ = await site.world.running()
    change = "update workers set {} where id = $1"
    await site.world.conn.execute(change.format("draining = true"), worker_id)
    assert "Draining takes nothing new" in said(await site.get("workers"))
    await site.world.conn.execute(change.format("seen_at = now() - interval '31 seconds'"), worker_id)
    assert "Silent last sign 31s ago" in said(await site.get("workers"))
    await site.world.conn.execute(change.format("leased_until = now()"), worker_id)
    assert "Lost last sign 31s ago" in said(await site.get("workers"))


async def test_a_fragment_is_the_list_alone(site: Site) -> None:
    answer = await site.fragment("workers")
    assert answer.text.lstrip().startswith('<div class="panel" id="workers">')


async def test_what_a_worker_says_of_itself_is_text(site: Site) -> None:
    await runs.enlist(site.world.conn, name="<img src=x>", version="<b>", lease=60)
    page = await site.get("workers")
    assert "<img src=x>" not in page.text
    assert "&lt;img src=x&gt;" in page.text
