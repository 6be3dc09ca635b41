"""Syncs whose worker is killed: they end as if nobody had been, with next to nothing asked for twice."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest
from tests.commands import Serving
from tests.postgres import eventually
from tests.walks.caller import Caller
from tests.walks.database import fetch
from tests.walks.house import House
from tests.walks.revenuecat import fake_revenuecat, reaching

from tawny.testing.revenuecat import FakeRevenueCat, Options

pytestmark = pytest.mark.walk

CUSTOMERS = 200
AT_ONCE = 10
SYNCS = int(os.environ.get("SYNCS", "10"))
"""How many syncs are broken off, ten by each kill. Fifty: `SYNCS=50 pytest -m walk tests/walks/test_revenuecat.py`."""

SEED = 7
PATIENCE = 90.0

TABLE = """
select app_user_id, last_seen_at, status, active, properties, attributes, entitlements, revenue_cents, counted, marks,
    array(select e.entitlement from subscriber_entitlements as e where e.subscriber_id = s.id order by 1) as listed
from subscribers as s where project_id = $1 order by app_user_id
"""
SAME = ("synced", "total", "skipped", "not_found", "errors", "skipped_anonymous", "active", "inactive", "unchanged")


class Town:
    """A server without a worker, and projects that are connected to the fake."""

    def __init__(self, house: House, serving: Serving, caller: Caller, key: str) -> None:
        self.house, self.serving, self.caller, self.key = house, serving, caller, key
        self.http = httpx.Client(base_url=serving.address, headers={"authorization": f"Bearer {serving.key}"}, timeout=20)

    def project(self, slug: str) -> str:
        project_id = self.caller.in_project(self.serving, slug)._project_id
        body = {"provider": "revenuecat", "config": {"api_key": self.key}}
        answer = self.http.post(f"/v1/projects/{project_id}/integrations", json=body)
        assert answer.status_code == 201, answer.text
        return project_id

    def sync(self, project_id: str) -> str:
        answer = self.http.post(f"/v1/projects/{project_id}/integrations/revenuecat/sync")
        assert answer.status_code == 200, answer.text
        run_id: str = answer.json()["job_run_id"]
        return run_id

    def ended(self, run_ids: list[str]) -> list[dict[str, Any]]:
        def all_ended() -> bool:
            return all(self.run(run_id)["status"] in ("completed", "failed", "cancelled") for run_id in run_ids)

        eventually(all_ended, PATIENCE)
        return [self.run(run_id) for run_id in run_ids]

    def run(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/v1/jobs/{run_id}").json()["job_run"]
        return found

    def table(self, project_id: str) -> list[dict[str, Any]]:
        return fetch(self.house.state, TABLE, project_id)


def test_a_sync_whose_worker_is_killed_ends_as_if_it_had_not_been(tmp_path: Path, say: Any) -> None:
    chance = random.Random(SEED)
    with fake_revenuecat(Options(customers=CUSTOMERS, seed=SEED)) as revenuecat:
        house = House(tmp_path, **reaching(revenuecat))
        with house.serve("--no-worker") as serving, Caller.greeted_by(serving.wait_until_up(worker=False)) as caller:
            town = Town(house, serving, caller, revenuecat.key.secret)
            began = monotonic()
            unbroken, table, calls = unbroken_sync(town, revenuecat)
            twice: list[int] = []
            for number in range(0, SYNCS, AT_ONCE):
                projects = [town.project(f"broken-{number + n}") for n in range(AT_ONCE)]
                revenuecat.counters.reset()
                ended = broken_syncs(town, revenuecat, projects, number, chance.uniform(0.05, 0.95) * calls * AT_ONCE)
                for run, project_id in zip(ended, projects, strict=True):
                    assert run["status"] == "completed", run["error"]
                    assert {name: run["result"][name] for name in SAME} == unbroken
                    assert town.table(project_id) == table
                twice.append(revenuecat.counters.total - calls * AT_ONCE)
            # Of each sync a batch and a page at most, and the three calls of the beginning.
            assert max(twice) <= AT_ONCE * 150
            say(f"{SYNCS} syncs were broken off in {monotonic() - began:.0f} s; per sync {max(twice) / AT_ONCE:.0f} calls twice")


def unbroken_sync(town: Town, revenuecat: FakeRevenueCat) -> tuple[dict[str, int], list[dict[str, Any]], int]:
    """What a sync counts and writes, and how often it calls."""
    project_id = town.project("unbroken")
    with town.house.work("unbroken") as worker:
        worker.wait_for("enlisted")
        (run,) = town.ended([town.sync(project_id)])
    assert run["status"] == "completed", run["error"]
    assert run["result"]["synced"] > CUSTOMERS / 2
    return {name: run["result"][name] for name in SAME}, town.table(project_id), revenuecat.counters.total


def broken_syncs(town: Town, revenuecat: FakeRevenueCat, projects: list[str], number: int, calls: float) -> list[dict[str, Any]]:
    """Sync these projects at once, kill the worker after so many calls, and let another one do the rest."""
    with town.house.work(f"killed-{number}") as worker:
        worker.wait_for("enlisted")
        run_ids = [town.sync(project_id) for project_id in projects]
        eventually(lambda: revenuecat.counters.total >= calls, PATIENCE)
        os.kill(worker.process.pid, signal.SIGKILL)
    with town.house.work(f"next-{number}") as worker:
        worker.wait_for("enlisted")
        return town.ended(run_ids)
