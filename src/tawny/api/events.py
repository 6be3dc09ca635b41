"""What happens, as it happens: server-sent events."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, suppress
from time import monotonic
from typing import Any, Final
from uuid import UUID

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tawny import live
from tawny.access import LIST_RUNS, VIEW_RUN, Actor
from tawny.api import parameters
from tawny.api.answers import STREAM_HEADERS, Answer, send_answer
from tawny.api.call import Call
from tawny.api.credentials import authorization
from tawny.errors import Forbidden, NotFound, Unauthenticated
from tawny.live import Lost, Message

HEARTBEAT: Final = 15.0
"""Seconds of silence after which a comment is sent, so that proxies and clients see that the connection lives."""

CHECK: Final = 1.0
"""Seconds between two looks whether this listener may still listen, and is still there."""

_HEARTBEAT: Final = b": still here\n\n"
_SEQ: Final = re.compile(r"\d{1,9}", re.ASCII)

Listening = AbstractAsyncContextManager[AsyncIterator[Message] | None]
Opened = tuple[Listening, Callable[[Actor], None]]
"""What to listen to, and what an actor must still be allowed to while it lasts."""


class _Stream:
    """An endpoint that answers with events for as long as somebody listens."""

    def __init__(self, opening: Callable[[Call, Actor], Opened]) -> None:
        self._opening = opening

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = Call(scope, receive)
        listening, check = self._opening(call, await call.actor())
        async with listening as messages:
            if messages is None:
                return await send_answer(send, Answer(204, b""))
            await send({"type": "http.response.start", "status": 200, "headers": list(STREAM_HEADERS)})
            with suppress(Lost, Unauthenticated, Forbidden, NotFound):
                await _Listener(call, receive, send, check).serve(messages)
            await send({"type": "http.response.body"})
        return None


class _Listener:
    """Sends what comes, until the run ends, the listener goes, may not listen any more, or is too slow."""

    def __init__(self, call: Call, receive: Receive, send: Send, check: Callable[[Actor], None]) -> None:
        self._call = call
        self._receive = receive
        self._send = send
        self._check = check
        self._checked = self._sent = monotonic()

    async def serve(self, messages: AsyncIterator[Message]) -> None:
        gone = asyncio.create_task(_until_gone(self._receive))
        try:
            await self._serve(messages, gone)
        finally:
            gone.cancel()

    async def _serve(self, messages: AsyncIterator[Message], gone: asyncio.Task[None]) -> None:
        waiting: asyncio.Future[Message] | None = None
        try:
            while not gone.done():
                waiting = waiting or asyncio.ensure_future(anext(messages))
                await asyncio.wait({waiting}, timeout=CHECK)
                await self._check_again()
                if waiting.done():
                    await self._pass_on(waiting.result())
                    waiting = None
                elif monotonic() - self._sent > HEARTBEAT:
                    await self._pass_on(Message(_HEARTBEAT))
        except StopAsyncIteration:
            return
        finally:
            if waiting is not None:
                waiting.cancel()

    async def _pass_on(self, message: Message) -> None:
        await self._send({"type": "http.response.body", "body": message.wire, "more_body": True})
        self._sent = monotonic()

    async def _check_again(self) -> None:
        """A key that was revoked, or a role that was taken away, ends the stream within about a second."""
        if monotonic() - self._checked >= CHECK:
            headers = self._call.scope["headers"]
            self._check(await self._call.state.authenticator.actor(authorization(headers)))
            self._checked = monotonic()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _team(call: Call, actor: Actor) -> Opened:
    team_id = call.id("team_id")
    actor.require(team_id, LIST_RUNS)
    after = _last_event(call, live.parse_place)
    listening = live.listen_to_team(call.state.feed, call.state.pool, actor, team_id, after)
    return listening, lambda now: now.require(team_id, LIST_RUNS)


def _run(call: Call, actor: Actor) -> Opened:
    run_id = call.id("run_id")
    actor.teams_for(VIEW_RUN)
    after = _last_event(call, lambda text: int(text) if _SEQ.fullmatch(text) else None)
    listening = live.listen_to_run(call.state.feed, call.state.pool, actor, run_id, after)
    teams = actor.teams_for(VIEW_RUN)
    return listening, lambda now: _require_any(now, teams)


def _require_any(actor: Actor, teams: list[UUID]) -> None:
    """Raise Forbidden when a team is gone in which the run may have been."""
    if not set(teams) <= set(actor.teams_for(VIEW_RUN)):
        raise Forbidden("You are not a member of this team any more.", code="not_a_member")


def _last_event(call: Call, parse: Callable[[str], Any]) -> Any:
    """Where to go on: the header `Last-Event-ID`, or else the parameter `after`, for a page that begins to listen."""
    sent = [value.decode("latin-1") for name, value in call.scope["headers"] if name == b"last-event-id"]
    name, text = ("Last-Event-ID", sent[-1]) if sent else ("after", parameters.read(call.query, {"after"}).get("after"))
    if not text:
        return None
    parsed = parse(text)
    if parsed is None:
        raise parameters.invalid(name, "should be the id of an event of this stream, unchanged")
    return parsed


run_events: Final = _Stream(_run)
team_events: Final = _Stream(_team)

ROUTES: Final = (
    Route("/v1/jobs/{run_id}/events", run_events, methods=["GET"], name="run_events"),
    Route("/v1/teams/{team_id}/jobs/events", team_events, methods=["GET"], name="team_events"),
)
