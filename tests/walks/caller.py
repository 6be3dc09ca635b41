"""Whoever holds a key, on the other side of HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import httpx
from tests.commands import PATIENCE, Serving, tawny
from tests.postgres import eventually

RunAnswer = dict[str, Any]
"""A run as the API shows it: the 14 fields."""

ENDED = {"completed", "failed", "cancelled"}


class Caller:
    """Triggers and watches runs of one project, by the key that the first start printed.

    A project has at most one active run of a type: tests that share a server have a project each.
    """

    def __init__(self, serving: Serving, key: str, team_id: str, project_id: str) -> None:
        self._key = key
        self._team_id = team_id
        self._project_id = project_id
        self._http = httpx.Client(base_url=serving.address, headers={"Authorization": f"Bearer {key}"}, timeout=10)

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    @classmethod
    def greeted_by(cls, serving: Serving) -> Caller:
        """The one for whom the first start made a team and a project."""
        team_id, project_id = re.findall(r'" \(([0-9a-f-]{36})\)', serving.out)
        return cls(serving, serving.key, team_id, project_id)

    def in_project(self, serving: Serving, slug: str) -> Caller:
        """The same one, in a new project."""
        made = tawny(serving.folder, "admin", "create-project", slug, "--team", self._team_id, "--json")
        assert made.returncode == 0, made.stderr
        return Caller(serving, self._key, self._team_id, json.loads(made.stdout)["project_id"])

    def at(self, serving: Serving) -> Caller:
        """The same one at another server on the same database."""
        return Caller(serving, self._key, self._team_id, self._project_id)

    def trigger(self, job_type: str, **params: Any) -> str:
        """Ask for a run, and return its id."""
        answer = self._http.request(**self.asking(job_type, **params))
        assert answer.status_code == 201, answer.text
        run_id: str = answer.json()["job_run"]["id"]
        return run_id

    def asking(self, job_type: str, *, key: str | None = None, **params: Any) -> dict[str, Any]:
        """The request for a run, as any httpx client sends it; with an idempotency key if one is given."""
        return {
            "method": "POST",
            "url": f"/v1/teams/{self._team_id}/jobs/trigger",
            "json": {"job_type": job_type, "project_id": self._project_id, "params": params},
            "headers": {"Authorization": f"Bearer {self._key}"} | ({"Idempotency-Key": key} if key else {}),
        }

    def schedule(self, job_type: str, cron: str, **params: Any) -> str:
        """Make a schedule, and return its id."""
        body = {"job_type": job_type, "cron": cron, "params": params}
        answer = self._http.post(f"/v1/projects/{self._project_id}/schedules", json=body)
        assert answer.status_code == 201, answer.text
        schedule_id: str = answer.json()["id"]
        return schedule_id

    def ticks(self, schedule_id: str) -> list[dict[str, Any]]:
        """What became of its due times, the newest first."""
        answer = self._http.get(f"/v1/projects/{self._project_id}/schedules/{schedule_id}")
        assert answer.status_code == 200, answer.text
        ticks: list[dict[str, Any]] = answer.json()["ticks"]
        return ticks

    def runs(self) -> list[RunAnswer]:
        """The runs of the project, newest first."""
        answer = self._http.get(f"/v1/teams/{self._team_id}/jobs", params={"project_id": self._project_id})
        assert answer.status_code == 200, answer.text
        runs: list[RunAnswer] = answer.json()["job_runs"]
        return runs

    def run(self, run_id: str) -> RunAnswer:
        answer = self._http.get(f"/v1/jobs/{run_id}")
        assert answer.status_code == 200, answer.text
        run: RunAnswer = answer.json()["job_run"]
        return run

    def cancel(self, run_id: str) -> None:
        answer = self._http.post(f"/v1/jobs/{run_id}/cancel")
        assert (answer.status_code, answer.json()) == (200, {"cancelled": True})

    def bulk(self, action: str, **chosen: str) -> str:
        """Ask for a bulk action on the runs of the project, and return the id of the run that does it."""
        body = {"action": action, "filter": {"project_id": self._project_id} | chosen}
        answer = self._http.post(f"/v1/teams/{self._team_id}/jobs/bulk", json=body)
        assert answer.status_code == 202, answer.text
        run_id: str = answer.json()["job_run"]["id"]
        return run_id

    def sees(self, run_id: str, fact: Callable[[RunAnswer], object], seconds: float = PATIENCE) -> RunAnswer:
        """Look at the run until this is true of it, and return it as it then was. Fails when the run ends without."""
        run: RunAnswer = {}

        def look() -> bool:
            run.update(self.run(run_id))
            return bool(fact(run)) or run["status"] in ENDED

        eventually(look, seconds)
        assert fact(run), run
        return run

    def ended(self, run_id: str, seconds: float = PATIENCE) -> RunAnswer:
        return self.sees(run_id, lambda run: run["status"] in ENDED, seconds)
