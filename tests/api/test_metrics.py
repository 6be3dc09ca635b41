"""GET /metrics."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.test_health import Lost
from api.world import World, app
from tawny import __version__, runs
from tawny.api import scrape
from tawny.api.scrape import METRICS, Scrape

Samples = dict[tuple[str, ...], float]


@pytest.fixture(autouse=True)
def fresh(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has scraped before this test, and each reading is a new one."""
    monkeypatch.setattr(scrape, "FRESH_SECONDS", 0.0)
    world.served.api.state.tawny = replace(world.served.api.state.tawny, scrape=Scrape())


async def scraped(world: World) -> dict[str, Samples]:
    """The samples by name, each by the values of its labels in the order of their names."""
    answer = await world.send("GET", "/metrics", as_=None)
    assert answer.status_code == 200
    found: dict[str, Samples] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


async def test_metrics_are_a_text_without_a_credential(world: World) -> None:
    answer = await world.send("GET", "/metrics", as_=None)
    assert answer.headers["content-type"] == "text/plain; version=1.0.0; charset=utf-8"
    assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")


async def test_every_metric_is_shown_as_its_table_says(world: World) -> None:
    _, claimed = await world.running()
    await world.finish(claimed)
    answer = await world.send("GET", "/metrics", as_=None)
    families = list(text_string_to_metric_families(answer.text))
    shown = {family.name + ("_total" if family.type == "counter" else ""): family for family in families}
    assert shown.keys() == METRICS.keys()
    for name, metric in METRICS.items():
        assert (shown[name].type, shown[name].documentation) == (metric.kind, metric.text)
        assert {label for sample in shown[name].samples for label in sample.labels} - {"le"} == set(metric.labels)


async def test_what_ended_is_counted_by_type_and_outcome(world: World) -> None:
    for status, job_type in [("completed", "export"), ("failed", "export"), ("completed", "import"), ("completed", "import")]:
        _, claimed = await world.running(job_type=job_type)
        await world.finish(claimed, status, error="E" if status == "failed" else None)
    found = await scraped(world)
    assert found["tawny_runs_total"] == {("export", "completed"): 1, ("export", "failed"): 1, ("import", "completed"): 2}
    assert found["tawny_run_duration_seconds_count"] == found["tawny_runs_total"]
    assert found["tawny_run_duration_seconds_sum"][("import", "completed")] < 60
    buckets = found["tawny_run_duration_seconds_bucket"]
    assert (buckets[("import", "60", "completed")], buckets[("import", "+Inf", "completed")]) == (2, 2)


async def test_what_waits_and_what_runs_is_counted_now(world: World) -> None:
    await world.running()
    await world.made(job_type="import")
    later = await world.made(job_type="export", project_id=str(await world.add_project()))
    await world.conn.execute("update job_runs set run_at = now() + interval '1 hour' where id = $1", later)
    await world.system_run()
    await world.conn.execute("update job_runs set run_at = now() - interval '1 minute' where job_type = 'import'")
    found = await scraped(world)
    assert found["tawny_runs_waiting"] == {("export",): 0, ("import",): 1, ("sweep",): 1, ("revenuecat_sync",): 0}
    assert found["tawny_runs_running"] == {("export",): 1, ("import",): 0, ("sweep",): 0, ("revenuecat_sync",): 0}
    assert found["tawny_oldest_waiting_seconds"][()] == pytest.approx(60, abs=30)


async def test_workers_are_those_that_hold_a_lease(world: World) -> None:
    for lease, pulse in ((60, 0.25), (60, 0.75), (-1, 9.0)):
        worker_id = await runs.enlist(world.conn, name="test:1", version="0", lease=lease)
        await world.conn.execute("update workers set pulse_seconds = $2 where id = $1", worker_id, pulse)
    found = await scraped(world)
    assert found["tawny_workers"] == {(): 2}
    assert found["tawny_worker_pulse_seconds"] == {("slowest",): 0.75, ("average",): 0.5}


async def test_messages_that_were_brought_and_those_that_wait_are_counted_by_channel(world: World) -> None:
    await world.conn.execute(
        """
        insert into delivery_totals (shard, channel, outcome, tries)
        values (1, 'mail', 'delivered', 2), (2, 'mail', 'delivered', 3), (1, 'mail', 'not_taken', 7),
            (1, 'webhook', 'given_up', 1);
        insert into deliveries (id, channel, address, event, created_at)
        values (gen_random_uuid(), 'mail', 'a@example.com', 'failed', now() - interval '1 minute'),
            (gen_random_uuid(), 'mail', 'a@example.com', 'failed', now())
        """
    )
    found = await scraped(world)
    assert found["tawny_deliveries_total"] == {
        ("mail", "delivered"): 5,
        ("mail", "given_up"): 0,
        ("webhook", "delivered"): 0,
        ("webhook", "given_up"): 1,
    }
    assert found["tawny_delivery_tries_not_taken_total"] == {("mail",): 7, ("webhook",): 0}
    assert found["tawny_deliveries_waiting"] == {("mail",): 2, ("webhook",): 0}
    assert found["tawny_oldest_delivery_seconds"][("mail",)] == pytest.approx(60, abs=30)
    assert found["tawny_oldest_delivery_seconds"][("webhook",)] == 0


async def test_a_quiet_server_shows_zeros(world: World) -> None:
    found = await scraped(world)
    assert found["tawny_runs_waiting"] == {(name,): 0 for name in (*app.jobs, "revenuecat_sync")}
    assert (found["tawny_workers"], found["tawny_oldest_waiting_seconds"]) == ({(): 0}, {(): 0})
    assert "tawny_runs_total" not in found
    assert found["tawny_build_info"] == {(__version__,): 1}
    assert found["tawny_api_connections"].keys() == {("used",), ("idle",)}


async def test_nothing_of_a_team_is_shown(world: World) -> None:
    _, claimed = await world.running()
    await world.finish(claimed)
    text = (await world.send("GET", "/metrics", as_=None)).text
    ids = [world.team_id, world.project_id, claimed.id, "test:1", "api_key"]
    assert [id_ for id_ in ids if str(id_) in text] == []


async def test_many_who_ask_at_once_cost_one_reading(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrape, "FRESH_SECONDS", 60.0)
    first = (await world.send("GET", "/metrics", as_=None)).content
    await world.made()
    answers = await asyncio.gather(*[world.send("GET", "/metrics", as_=None) for _ in range(5)])
    assert {answer.content for answer in answers} == {first}


@contextmanager
def away(world: World) -> Iterator[None]:
    state: Any = world.served.api.state
    whole = state.tawny
    state.tawny = replace(whole, pool=Lost(silent=False))
    yield
    state.tawny = whole


async def test_without_a_database_there_are_none(world: World) -> None:
    with away(world):
        answer = await world.send("GET", "/metrics", as_=None)
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "1")
    assert (await world.send("GET", "/metrics", as_=None)).status_code == 200


@pytest.mark.slow
async def test_a_server_starts_without_the_library_of_metrics() -> None:
    program = "import sys, tawny.api.app\nprint('prometheus_client' in sys.modules)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert (await process.communicate())[0] == b"False\n"
