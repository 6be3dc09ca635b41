"""Ask another service, by JSON over HTTP: at its pace, again where that helps, and with a clear word where it does not.

CallFailed
├── Refused       401, 403  the key is not good for this; nothing else asked with it will be answered better
├── Missing       404       there is no such thing
├── Rejected      4xx       the request itself is wrong for the service
├── Unusable                it answered, with something else than it says it does
└── Unanswered              it did not answer in the end: 5xx, no connection, no JSON, or too busy for too long

No message has the key in it, or anything else of a request's headers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import random
from typing import Any, Final

import httpx

from tawny.errors import TawnyError
from tawny.integrations.pace import Opens, Pace
from tawny.jobs import clean_text

_MOST_SECONDS: Final = 300  # a `Retry-After` above this is meant in milliseconds: old documents said so
_BODY_LIMIT: Final = 16 * 1024 * 1024


class CallFailed(TawnyError):
    """A call to another service failed. `label` is a short word for counting: the status, or `network`, `timeout`, `bad_json`."""

    def __init__(self, message: str, *, label: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.label = label
        self.param = param
        """Which parameter the service complains of."""


class Refused(CallFailed):
    """The key is wrong, was revoked, or may not do this."""


class Missing(CallFailed):
    """There is no such thing."""


class Rejected(CallFailed):
    """The request is wrong for the service; to send it again would not help."""


class Unusable(CallFailed):
    """An answer that has not the shape that it should have."""


class Unanswered(CallFailed):
    """No answer that could be used, however often it was asked."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How patient a caller is. Times are seconds."""

    tries: int = 4
    """Calls that fail, before it is given up."""
    backoff: float = 0.5
    """The wait after the first failure; it doubles, and half of it is left to chance."""
    longest_wait: float = 600.0
    """In all, for a service that is too busy."""
    busy: float = 1.0
    """The wait when a busy service does not say how long."""
    answer: float = 30.0
    """How long one answer may take, its body included."""


@dataclass(slots=True)
class Counts:
    """What was asked so far."""

    requests: int = 0
    rate_limited: int = 0


@dataclass(slots=True, kw_only=True)
class Service:
    """One service with one key. `name` is what people call it. It calls `http`, whose base address it never leaves."""

    name: str
    http: httpx.AsyncClient = field(repr=False)
    key: str = field(repr=False)
    opens: Opens
    manners: Manners = field(default_factory=Manners)
    counts: Counts = field(default_factory=Counts)
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep

    async def get(self, path: str, pace: Pace, params: Mapping[str, str | int] | None = None) -> Any:
        """Return the JSON at this path. A busy service is waited for, one that fails is asked again; else CallFailed."""
        failures, waited = 0, 0.0
        while True:
            turn = await pace.turn(self.opens)
            self.counts.requests += 1
            try:
                answer = await self._ask(path, params)
            except (httpx.HTTPError, TimeoutError) as error:
                failures += 1
                await self._try_again(failures, 0.0, _of_network(self.name, error))
                continue
            if answer.status != 429:
                pace.granted()
            if answer.status == 200 and answer.value is not _NO_JSON:
                return answer.value
            if answer.status == 429:
                self.counts.rate_limited += 1
                waited += await pace.refused(self.opens, answer.wait(self.manners.busy), turn)
                if waited > self.manners.longest_wait:
                    raise Unanswered(f"{self.name} was too busy for {waited:.0f} seconds.", label="429")
                continue
            failed = _failure(self.name, answer, self.key)
            if not isinstance(failed, Unanswered):
                raise failed
            failures += 1
            await self._try_again(failures, answer.wait(0.0), failed)

    async def _try_again(self, failures: int, at_least: float, failed: CallFailed) -> None:
        """Wait before the next try, or raise when there is none."""
        if failures >= self.manners.tries:
            raise failed
        pause = self.manners.backoff * 2 ** (failures - 1)
        await self.sleep(max(at_least, pause / 2) + random() * pause / 2)  # noqa: S311 (not a secret)

    async def _ask(self, path: str, params: Mapping[str, str | int] | None) -> _Answer:
        headers = {"authorization": f"Bearer {self.key}", "accept": "application/json"}
        async with (
            asyncio.timeout(self.manners.answer),
            self.http.stream("GET", path, params=params, headers=headers, follow_redirects=False) as response,
        ):
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > _BODY_LIMIT:
                    return _Answer(response.status_code, _NO_JSON, response.headers)
            return _Answer(response.status_code, _parsed(body), response.headers)


_NO_JSON: Final = object()


def _parsed(body: bytearray) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _NO_JSON


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    value: Any
    headers: httpx.Headers

    def wait(self, default: float) -> float:
        """Seconds that the service asks to wait: its `backoff_ms`, or `Retry-After` in seconds or, where that is long, in ms."""
        said = _number(self.value.get("backoff_ms") if isinstance(self.value, dict) else None)
        if said is not None:
            return min(said / 1000, _MOST_SECONDS) * _a_little_more()
        said = _number(self.headers.get("retry-after"))
        if said is None:
            return default * _a_little_more()
        return min(said / 1000 if said > _MOST_SECONDS else said, _MOST_SECONDS) * _a_little_more()

    def word(self, name: str) -> str | None:
        found = self.value.get(name) if isinstance(self.value, dict) else None
        return clean_text(found, 300) if isinstance(found, str) else None


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]  # whether it is one is the question
    except (TypeError, ValueError):
        return None
    return number if 0 <= number < float("inf") else None


def _a_little_more() -> float:
    """Those who were refused together do not come back together."""
    return 1 + random() / 4  # noqa: S311 (not a secret)


def _of_network(name: str, error: Exception) -> Unanswered:
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return Unanswered(f"{name} did not answer in time.", label="timeout")
    return Unanswered(f"{name} cannot be reached ({type(error).__name__}).", label="network")


def _failure(name: str, answer: _Answer, key: str) -> CallFailed:
    status, said = answer.status, (answer.word("message") or "").replace(key, "****")  # some repeat what they were sent
    more = f": {said}" if said else "."
    if status == 401:
        return Refused(f"{name} does not accept the API key{more}", label="401")
    if status == 403:
        return Refused(f"The API key may not do this at {name}{more}", label="403")
    if status == 404:
        return Missing(f"{name} has no such thing{more}", label="404")
    if status == 200:
        return Unanswered(f"{name} answered with something that is no JSON.", label="bad_json")
    retryable = isinstance(answer.value, dict) and answer.value.get("retryable") is True
    if status >= 500 or status == 423 or retryable:
        return Unanswered(f"{name} could not answer (status {status}){more}", label=str(status))
    return Rejected(f"{name} rejected the request (status {status}){more}", label=str(status), param=answer.word("param"))
