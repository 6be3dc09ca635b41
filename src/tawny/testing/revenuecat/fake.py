"""The server: from a request to what becomes of it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Final, assert_never

from tawny.testing.revenuecat import refusals
from tawny.testing.revenuecat.answers import Answers, Missing
from tawny.testing.revenuecat.bucket import Bucket
from tawny.testing.revenuecat.catalog import Catalog
from tawny.testing.revenuecat.counters import Counters
from tawny.testing.revenuecat.customer import Customer
from tawny.testing.revenuecat.http import Answer, HttpServer, Request
from tawny.testing.revenuecat.key import PROJECT, Key
from tawny.testing.revenuecat.knobs import Fault, Knobs
from tawny.testing.revenuecat.options import Options
from tawny.testing.revenuecat.pages import LimitRefused, Pager
from tawny.testing.revenuecat.people import People
from tawny.testing.revenuecat.routes import SCOPES, Call, Domain, match
from tawny.testing.revenuecat.truth import Truth, truth_of

_USAGE: Final = "RevenueCat-Rate-Limit-Current-Usage"
_LIMIT: Final = "RevenueCat-Rate-Limit-Current-Limit"
_LEAST_WAIT: Final = 1.0


class FakeRevenueCat:
    """A RevenueCat that is not: ten routes of its API version 2 over a model, on a port of this machine.

        async with FakeRevenueCat(Options(customers=30)) as fake:
            fake.knobs.add(Fault.RESET, "purchases", probability=0.1)
            …                              # what is tested talks to fake.url with fake.key.secret
            assert fake.counters.rate_limited == 0

    Shapes and limits are those that RevenueCat publishes. Customers are made from the seed when they are asked for, so that a
    hundred thousand of them cost no memory. It serves in the running loop, from entering the block to leaving it.
    """

    def __init__(
        self, options: Options | None = None, *, knobs: Knobs | None = None, key: Key | None = None, port: int = 0
    ) -> None:
        self.options = options or Options()
        self.knobs = knobs or Knobs()
        self.key = key or Key()
        self.keys: dict[str, Key] = {}
        self.counters = Counters(self.options.window, self.options.log)
        self.now = self.options.time()
        """The model's time, in milliseconds; `touch` moves on from it."""
        sizes = {"entitlements": self.options.entitlements, "products": self.options.products}
        self.catalog = Catalog(PROJECT, self.now, **sizes)
        self.people = People(self.options, self.catalog, self.now)
        self._answers = Answers(self.people, self.catalog, self.now)
        self._chance = Random(self.options.seed)  # noqa: S311  (a model, not a secret)
        self._buckets: dict[tuple[str, Domain], Bucket] = {}
        self._server = HttpServer(self._answer, port)
        self.add_key(self.key)

    async def __aenter__(self) -> FakeRevenueCat:
        await self._server.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._server.__aexit__(*error)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def url(self) -> str:
        """What takes the place of RevenueCat's own address, with the version."""
        return f"{self.origin}/v2"

    @property
    def project_id(self) -> str:
        """The project that has the customers."""
        return PROJECT

    def add_key(self, key: Key) -> Key:
        """Let another key in; it has rate limits of its own."""
        self.keys[key.secret] = key
        return key

    # The model

    def customer_ids(self) -> list[str]:
        """The ids of all customers in the order of the listing."""
        return [self.people.summary(index)["id"] for index in self.people]

    def customer(self, customer_id: str) -> Customer:
        """A copy of a customer, named by id or alias, to be changed and `put` back. KeyError for an unknown one."""
        index = self.people.resolve(customer_id)
        if index is None:
            raise KeyError(customer_id)
        return self.people.copy(index)

    def truth(self, customer_id: str) -> Truth:
        """What a correct sync knows of this customer, named by id or alias. KeyError for an unknown one."""
        return truth_of(self.customer(customer_id), self.catalog)

    def put(self, customer: Customer) -> None:
        """Let the customer with this id be so from now on. KeyError for an unknown one."""
        self.people.put(customer)

    def insert(self, customer_id: str | None = None, *, first: bool = False) -> Customer:
        """Add a customer with one subscription, in the listing after all others or (`first`) before them."""
        return self.people.insert(customer_id, first=first)

    def delete(self, customer_id: str) -> None:
        """Remove a customer. A cursor that names it is unknown from now on. KeyError for an unknown one."""
        self.people.delete(customer_id)

    def touch(self, *customer_ids: str) -> None:
        """Let these customers have been seen a moment later than anybody before. KeyError for an unknown one."""
        self.now += 1000
        for customer_id in customer_ids:
            self.people.touch(customer_id, self.now)

    def touch_share(self, share: float, seed: int) -> int:
        """The same for about this share of all customers, the same ones for the same seed; returns how many."""
        self.now += 1000
        return len(self.people.touch_share(share, seed, self.now))

    # A request

    async def _answer(self, request: Request) -> Answer:
        call = match(request.target)
        if call is None or request.method != "GET":
            return refusals.missing("route")
        now = time.monotonic()
        with self.counters.counting(call, now) as status:
            answer = await self._after_latency(call, self._decided(call, request, now))
            if answer.how != "reset":
                status.append(answer.status)
            return answer

    def _decided(self, call: Call, request: Request, now: float) -> Answer | Fault:
        """The answer, or that there is none. Everything is decided when the request comes."""
        key = self._key_of(request)
        if key is None:
            return refusals.unauthenticated()
        bucket = self._bucket(key, call.domain)
        neighbour = self.knobs.neighbour if call.domain == "customer_information" else 0.0
        if self.knobs.limits and not bucket.let_in(now, self.knobs.window, neighbour):
            return self._with_usage(self._too_many(bucket.wait(now, self.knobs.window)), bucket)
        answer = self._within_limits(call, key)
        return answer if isinstance(answer, Fault) else self._with_usage(answer, bucket)

    def _within_limits(self, call: Call, key: Key) -> Answer | Fault:
        if SCOPES[call.route] not in key.scopes:
            return refusals.not_allowed(SCOPES[call.route])
        fault = self.knobs.struck(call, self._chance)
        if fault is Fault.HANG:
            return fault
        right = self._right(call, key)
        return right if fault is None else self._wrong(fault, right)

    def _right(self, call: Call, key: Key) -> Answer:
        try:
            return Answer(200, refusals.encoded(self._answers.to(call, key, Pager(call, self.knobs, self.origin))))
        except Missing as missing:
            return refusals.missing(str(missing))
        except LimitRefused:
            return refusals.wrong_limit(self.knobs.page_cap)

    def _wrong(self, fault: Fault, right: Answer) -> Answer:
        scale = self.options.clock_scale
        match fault:
            case Fault.SERVER_ERROR:
                return refusals.server_error(500, scale)
            case Fault.UNAVAILABLE:
                return refusals.server_error(503, scale)
            case Fault.BAD_GATEWAY:
                return refusals.bad_gateway()
            case Fault.LOCKED:
                return refusals.locked(scale)
            case Fault.RATE_LIMITED:
                return self._too_many(0.0)
            case Fault.INVALID_JSON:
                return replace(right, body=b"{'object': list}")
            case Fault.TRUNCATED_JSON:
                return replace(right, body=right.body[: len(right.body) // 2])
            case Fault.CUT:
                return replace(right, how="cut")
            case Fault.RESET:
                return replace(right, how="reset")
            case Fault.SLOW_BODY:
                return replace(right, how="slow", seconds=self.knobs.slow_body / scale)
            case Fault.HANG:
                raise AssertionError("a request that hangs has no answer")
        assert_never(fault)

    def _too_many(self, wait: float) -> Answer:
        """429; the wait is at least a second, scaled, as RevenueCat's is."""
        seconds = max(wait, _LEAST_WAIT / self.options.clock_scale)
        backoff_ms = math.ceil(seconds * 1000)
        mode = self.knobs.retry_after
        in_header = {
            "seconds": str(math.ceil(seconds)),
            "ms": str(max(1000, backoff_ms)),
            "body_missing": str(math.ceil(seconds)),
        }
        headers = {"Retry-After": in_header[mode]} if mode in in_header else {}
        if mode == "body_missing":
            return Answer(429, headers=headers)
        refused = refusals.refused(429, "rate_limit_error", "Rate limit exceeded", retryable=True, backoff_ms=backoff_ms)
        return replace(refused, headers=headers)

    def _with_usage(self, answer: Answer, bucket: Bucket) -> Answer:
        usage: Mapping[str, str] = {_USAGE: str(bucket.usage), _LIMIT: str(bucket.limit)}
        return replace(answer, headers={**answer.headers, **usage})

    async def _after_latency(self, call: Call, decided: Answer | Fault) -> Answer:
        if isinstance(decided, Fault):
            await asyncio.Event().wait()
            raise AssertionError("nobody sets that event")
        seconds = self.knobs.latency_of.get(call.route, self.knobs.latency).draw(self._chance) / self.options.clock_scale
        if seconds:
            await asyncio.sleep(seconds)
        return decided

    def _key_of(self, request: Request) -> Key | None:
        """The key that a request shows, while it is one; counts the requests until it is revoked."""
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        key = self.keys.get(secret.strip())
        if key is None or scheme.lower() != "bearer":
            return None
        if self.knobs.revoke_after is not None:
            if self.knobs.revoke_after <= 0:
                key.revoke()
            self.knobs.revoke_after -= 1
        return None if key.revoked else key

    def _bucket(self, key: Key, domain: Domain) -> Bucket:
        if (key.secret, domain) not in self._buckets:
            self._buckets[key.secret, domain] = Bucket(self.options.limit(domain), self.options.window)
        return self._buckets[key.secret, domain]
