"""Clients that trigger runs, and send the same again until they are answered, as the guide tells them to."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle
from random import Random
from time import monotonic
from typing import Any

import httpx
from tests.chaos.ledger import Ledger
from tests.chaos.plan import WORK, Scenario

PATIENCE = 20.0
"""Seconds after which a client gives up and does not know what became of its call."""

_TRY = 6.0


@dataclass
class Doorbell:
    """Where and as whom clients trigger."""

    address: str
    key: str
    team_id: str
    project_ids: list[str]
    ledger: Ledger
    statuses: Counter[int] = field(default_factory=Counter)
    slowest_refusal: float = 0.0
    """Seconds that the slowest answer 503 took."""

    async def schedule(self, many: int) -> None:
        """Make schedules that are due each second, in a project each, with one policy after the other."""
        policies = cycle(["last", "all", "none"])
        async with self.http() as http:
            for project_id, catch_up in zip(self.project_ids[:many], policies, strict=False):
                body = {"job_type": "chime", "cron": "* * * * * *", "catch_up": catch_up}
                answer = await http.post(f"/v1/projects/{project_id}/schedules", json=body)
                assert answer.status_code == 201, answer.text

    def http(self) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.key}"}
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
        return httpx.AsyncClient(base_url=self.address, headers=headers, timeout=_TRY, limits=limits)


@dataclass
class Client:
    """One caller, with its own chance."""

    bell: Doorbell
    http: httpx.AsyncClient
    name: str
    chance: Random
    scenario: Scenario

    async def call_until(self, over: asyncio.Event) -> None:
        number = 0
        while not over.is_set():
            number += 1
            await self.call(f"{self.name}-{number}", over)
            await asyncio.sleep(self.chance.uniform(0, self.scenario.pace))

    async def call(self, call: str, over: asyncio.Event, job_type: str | None = None, **params: Any) -> str | None:
        """Trigger once, and perhaps cancel; returns the run's id."""
        chance = self.chance
        everyday = job_type is None
        job_type = job_type or chance.choice(self.scenario.job_types)
        body = {
            "job_type": job_type,
            "project_id": chance.choice(self.bell.project_ids),
            "params": {"call": call, **params, **self._params(job_type)},
        }
        if self.scenario.notify and chance.random() < self.scenario.notify:
            body["notify"] = True
        run_id = await self._trigger(call, body)
        if run_id and everyday and job_type in WORK and chance.random() < 0.1:
            await asyncio.sleep(chance.uniform(0, 0.3))
            await self._cancel(run_id)
        return run_id

    def _params(self, job_type: str) -> dict[str, float]:
        if job_type in WORK:
            return {"steps": self.chance.randint(2, 6), "millis": self.chance.randint(*self.scenario.millis)}
        return {"seconds": self.chance.uniform(5.0, 8.0)} if job_type == "doze" else {}

    async def _trigger(self, call: str, body: dict[str, Any]) -> str | None:
        note = self.bell.ledger.note
        note("call", call=call, slot=f"{body['project_id']} {body['job_type']}")
        begun, unsure = monotonic(), 0
        while True:
            sent = monotonic()
            answer = await self._send("POST", f"/v1/teams/{self.bell.team_id}/jobs/trigger", body, call)
            seconds = monotonic() - sent
            if answer is not None and answer.status_code == 201:
                run_id: str = answer.json()["job_run"]["id"]
                note("ok", call=call, run=run_id, seconds=seconds, unsure=unsure)
                return run_id
            if answer is not None and answer.status_code != 503:
                note("refused", call=call, status=answer.status_code, seconds=seconds, unsure=unsure)
                return None
            unsure += answer is None
            if monotonic() - begun > PATIENCE:
                note("info", call=call, unsure=unsure)
                return None
            await asyncio.sleep(self.chance.uniform(0.05, 0.3))

    async def _cancel(self, run_id: str) -> None:
        answer = await self._send("POST", f"/v1/jobs/{run_id}/cancel", None, None)
        if answer is not None and answer.status_code == 200:
            self.bell.ledger.note("cancel", run=run_id)

    async def _send(self, method: str, path: str, body: Any, key: str | None) -> httpx.Response | None:
        """The answer; None if none came."""
        sent = monotonic()
        try:
            answer = await self.http.request(method, path, json=body, headers={"Idempotency-Key": key} if key else {})
        except httpx.TransportError:
            return None
        self.bell.statuses[answer.status_code] += 1
        if answer.status_code == 503:
            self.bell.slowest_refusal = max(self.bell.slowest_refusal, monotonic() - sent)
        return answer
