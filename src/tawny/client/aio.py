"""The client, to be awaited. `sync.py` is made of this file by `scripts/client`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from datetime import datetime
from time import monotonic
from types import TracebackType
from typing import Any
from uuid import UUID, uuid4

import httpx

from tawny.client.answers import (
    Event,
    JobType,
    LogLine,
    Project,
    Run,
    Team,
    Whoami,
    read,
    read_event,
    read_facts,
    read_progress,
    read_whoami,
)
from tawny.client.sse import Parser
from tawny.client.transport import (
    SECONDS,
    SILENCE,
    check_url,
    content_of,
    headers,
    may_be_sent_again,
    pause_before,
    unreachable,
)
from tawny.errors import InvalidRequest, RequestError, Unreachable

Id = UUID | str

_ENDS = ("completed", "failed", "cancelled")
_TRIES = 3.0  # seconds for which a broken stream is tried again before a run is looked at instead
_LOOKS = 30  # how often it is looked at before the stream is tried once more


class AsyncClient:
    """A connection to a Tawny server, as whoever the key or token belongs to.

    A request may take `timeout` seconds. One that cannot be answered just now (no connection, 429, 502, 503, 504) is sent again
    for up to `patience` seconds (`timeout` unless given): those that read, and those that are safe to repeat, as triggers and
    retries are by their idempotency key.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        team_id: Id | None = None,
        timeout: float = SECONDS,
        patience: float | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = check_url(url)
        self.jobs = AsyncJobs(self)
        self._team_id = str(team_id) if team_id else None
        self._timeout = timeout
        self._patience = timeout if patience is None else patience
        self._http = httpx.AsyncClient(
            base_url=self.url, headers=headers(api_key), timeout=timeout, transport=transport, trust_env=False
        )

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def whoami(self) -> Whoami:
        """Return who this client is."""
        return read_whoami(await self.request("GET", "/v1/auth/whoami"))

    async def teams(self) -> list[Team]:
        """List the teams that this client is in."""
        return [read(Team, team) for team in (await self.request("GET", "/v1/teams"))["teams"]]

    async def projects(self, team_id: Id | None = None) -> list[Project]:
        """List projects: of one team, or of all."""
        answer = await self.request("GET", "/v1/projects", query={"team_id": team_id})
        return [read(Project, project) for project in answer["projects"]]

    async def job_types(self) -> list[JobType]:
        """List what the server can run."""
        return [read(JobType, job_type) for job_type in (await self.request("GET", "/v1/job-types"))["job_types"]]

    async def team(self, team_id: Id | None = None) -> str:
        """Return the id of the team that is meant: this one, the client's, or the only one there is.

        InvalidRequest with code `team_required` when it cannot be told.
        """
        if team_id is not None:
            return str(team_id)
        if self._team_id is None:
            teams = (await self.whoami()).teams
            if len(teams) != 1:
                raise InvalidRequest("You are in several teams, or in none; name one by team_id.", code="team_required")
            self._team_id = teams[0].id
        return self._team_id

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        key: str | None = None,
        repeatable: bool | None = None,
    ) -> Any:
        """Send a request and return the JSON of its answer. What is None in `query` and `body` is left out.

        `repeatable`: whether it may be sent again when nobody knows what became of it. Unless said, what reads may be, and what
        has an idempotency `key`.
        """
        repeatable = method == "GET" or key is not None if repeatable is None else repeatable
        request = self._http.build_request(
            method,
            path,
            json=None if body is None else {name: value for name, value in body.items() if value is not None},
            params={name: str(value) for name, value in (query or {}).items() if value is not None},
            headers={"idempotency-key": key} if key else None,
        )
        deadline, attempt = monotonic() + self._patience, 0
        while True:
            answer: httpx.Response | None = None
            try:
                answer = await self._http.send(request)
            except httpx.HTTPError as error:
                # Before a connection stood nothing was sent: that is safe to repeat, whatever it is.
                if not (repeatable or isinstance(error, httpx.ConnectError)):
                    raise unreachable(self.url, error) from error
                failure = error
            if answer is not None and not (repeatable and may_be_sent_again(answer)):
                return content_of(answer)
            pause = pause_before(attempt, answer)
            if monotonic() + pause > deadline:
                if answer is not None:
                    return content_of(answer)
                raise unreachable(self.url, failure) from failure
            await asyncio.sleep(pause)
            attempt += 1

    async def stream(
        self, path: str, after: str | None = None, *, until: float | None = None, patience: float | None = None
    ) -> AsyncGenerator[Event, None]:
        """The events of a stream, for as long as there are any; after a lost connection it goes on where it was.

        Unreachable when nothing has come through for `patience` seconds (the client's own unless given) of trying. It ends once
        the clock `monotonic` has reached `until`, at most as long afterwards as the stream may be silent.
        """
        patience = self._patience if patience is None else patience
        heard, attempt = monotonic(), 0
        while until is None or monotonic() < until:
            try:
                async with self._http.stream(
                    "GET",
                    path,
                    headers={"accept": "text/event-stream"} | ({"last-event-id": after} if after else {}),
                    timeout=httpx.Timeout(self._timeout, read=SILENCE),
                ) as answer:
                    if answer.status_code == 204:
                        return
                    if not answer.is_success:
                        await answer.aread()
                        content_of(answer)
                    parser = Parser()
                    async for line in answer.aiter_lines():
                        heard, attempt = monotonic(), 0
                        if until is not None and heard >= until:
                            return
                        message = parser.feed(line)
                        if message is None:
                            continue
                        after = message.id or after
                        if message.kind != "open":
                            yield read_event(message.id, message.kind, message.data)
                failure: Exception = Unreachable(f"{self.url} ended the stream of events without a word.")
            except httpx.HTTPError as error:
                failure = unreachable(self.url, error)
            except RequestError as error:
                if error.status not in (429, 503):
                    raise
                failure = error
            if monotonic() - heard > patience:
                raise failure
            await asyncio.sleep(pause_before(attempt))
            attempt += 1


class AsyncJobs:
    """Runs: trigger, look at, follow, stop."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def trigger(
        self,
        job_type: str,
        *,
        project_id: Id | None = None,
        params: Mapping[str, Any] | None = None,
        notify: bool | None = None,
        team_id: Id | None = None,
        idempotency_key: str | None = None,
    ) -> Run:
        """Ask for a run, and return it.

        It is sent with an idempotency key, one of its own unless given, so a lost answer makes no second run. Conflict, with
        `details["existing_run_id"]`, while one is active.
        """
        team = await self._client.team(team_id)
        body = {"job_type": job_type, "project_id": str(project_id) if project_id else None, "params": params, "notify": notify}
        key = idempotency_key or str(uuid4())
        answer = await self._client.request("POST", f"/v1/teams/{team}/jobs/trigger", body=body, key=key)
        return read(Run, answer["job_run"])

    async def view(self, run_id: Id) -> Run:
        """Return a run; NotFound when there is none for this client."""
        return read(Run, (await self._client.request("GET", f"/v1/jobs/{run_id}"))["job_run"])

    async def cancel(self, run_id: Id, *, include_pending: bool = False) -> None:
        """Ask a run to stop: it will end as cancelled. InvalidRequest when it has ended, or is pending and that is not said."""
        body = {"include_pending": True} if include_pending else None
        await self._client.request("POST", f"/v1/jobs/{run_id}/cancel", body=body, repeatable=True)

    async def retry(self, run_id: Id, *, idempotency_key: str | None = None) -> Run:
        """Ask for what an ended run did once more, and return the new run."""
        key = idempotency_key or str(uuid4())
        return read(Run, (await self._client.request("POST", f"/v1/jobs/{run_id}/retry", key=key))["job_run"])

    async def iter(
        self,
        *,
        team_id: Id | None = None,
        job_type: str | None = None,
        status: str | None = None,
        project_id: Id | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        page: int = 50,
    ) -> AsyncIterator[Run]:
        """Go through a team's runs, newest first, page by page."""
        team, cursor = await self._client.team(team_id), None
        query = {
            "job_type": job_type,
            "status": status,
            "project_id": project_id,
            "since": _moment(since),
            "until": _moment(until),
            "limit": page,
        }
        while True:
            answer = await self._client.request("GET", f"/v1/teams/{team}/jobs", query=query | {"cursor": cursor})
            for run in answer["job_runs"]:
                yield read(Run, run)
            cursor = answer["cursor"]
            if cursor is None:
                return

    async def logs(self, run_id: Id, *, after: int = 0, level: str | None = None) -> AsyncIterator[LogLine]:
        """Go through the lines of a run's log behind the number `after`, up to the last one that there is now."""
        while True:
            query = {"after": after, "level": level}
            answer = await self._client.request("GET", f"/v1/jobs/{run_id}/logs", query=query)
            for line in answer["logs"]:
                yield read(LogLine, line)
            after = answer["next_after"]
            if not answer["has_more"]:
                return

    async def timeline(self, run_id: Id) -> Mapping[str, Any]:
        """Return what happened to a run: its attempts and its events, as the API shows them."""
        answer: Mapping[str, Any] = await self._client.request("GET", f"/v1/jobs/{run_id}/timeline")
        return answer

    async def events(
        self, run_id: Id, *, after: int | None = None, until: float | None = None, patience: float | None = None
    ) -> AsyncGenerator[Event, None]:
        """Follow a run until it has ended: its events behind the number `after` (None: from now on), and its progress.

        `until` and `patience` as in `AsyncClient.stream`.
        """
        path, place = f"/v1/jobs/{run_id}/events", None if after is None else str(after)
        async with aclosing(self._client.stream(path, place, until=until, patience=patience)) as stream:
            async for event in stream:
                yield event
                if event.kind in _ENDS:
                    return

    async def follow(
        self, run_id: Id, *, after: int | None = None, timeout: float | None = None, poll: float = 1.0
    ) -> AsyncGenerator[Event, None]:
        """Follow a run as `events` does, also where no stream gets through: then it is looked at each `poll` seconds.

        It ends with the run's end. TimeoutError when that takes more than `timeout` seconds; the run goes on then.
        """
        deadline = None if timeout is None else monotonic() + timeout
        # A stream is silent for that long, so that nearer to the deadline it could not be kept to.
        until = None if deadline is None else deadline - SILENCE
        while True:
            try:
                async with aclosing(self.events(run_id, after=after, until=until, patience=_TRIES)) as events:
                    async for event in events:
                        after = event.seq or after
                        yield event
                        if event.kind in _ENDS:
                            return
            except Unreachable:
                pass
            except RequestError as error:
                if error.status != 503 and error.code != "unknown_route":
                    raise
            for _ in range(_LOOKS):
                seen, timeline, run = after, await self.timeline(run_id), await self.view(run_id)
                for event in read_facts(timeline, seen):
                    after = event.seq
                    yield event
                if timeline["status"] in _ENDS:
                    return
                after = timeline["events"][-1]["seq"] if after is None else after
                if run.progress is not None:
                    yield read_progress(run)
                if deadline is not None and monotonic() + poll > deadline:
                    raise TimeoutError(f"The run {run_id} is still {run.status} after {timeout:g} seconds.")
                await asyncio.sleep(poll)

    async def team_events(self, *, team_id: Id | None = None, after: str | None = None) -> AsyncIterator[Event]:
        """Follow all runs of a team, without an end."""
        path = f"/v1/teams/{await self._client.team(team_id)}/jobs/events"
        async with aclosing(self._client.stream(path, after)) as stream:
            async for event in stream:
                yield event

    async def wait(self, run_id: Id, *, timeout: float | None = None, poll: float = 1.0) -> Run:
        """Return the run once it has ended; TimeoutError when that takes more than `timeout` seconds. The run goes on then.

        It follows the run's events, and looks at it each `poll` seconds where they do not get through.
        """
        run = await self.view(run_id)
        if run.ended:
            return run
        async for _ in self.follow(run_id, timeout=timeout, poll=poll):
            pass
        return await self.view(run_id)


def _moment(moment: str | datetime | None) -> str | None:
    return moment.isoformat() if isinstance(moment, datetime) else moment
