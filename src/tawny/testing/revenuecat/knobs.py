"""What can be turned while the fake serves: how slow it is, what goes wrong, and how it pages."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Literal

from tawny.testing.revenuecat.routes import Call, Route


class Fault(StrEnum):
    """What can become of a request instead of its answer."""

    SERVER_ERROR = "server_error"
    UNAVAILABLE = "unavailable"
    BAD_GATEWAY = "bad_gateway"
    """502 with a page of HTML."""
    LOCKED = "locked"
    RATE_LIMITED = "rate_limited"
    """429 although there was room."""
    INVALID_JSON = "invalid_json"
    TRUNCATED_JSON = "truncated_json"
    """The first half of the body, as if that were all."""
    CUT = "cut"
    """The connection ends in the middle of the body."""
    RESET = "reset"
    HANG = "hang"
    """No answer until one side gives up."""
    SLOW_BODY = "slow_body"
    """The whole answer, in pieces over `Knobs.slow_body` seconds."""


@dataclass(slots=True)
class Rule:
    """When a fault happens: on `route` (None: on all), for `customer` (None: for all), first letting `after` such requests pass,
    then to each with `probability`, and not more often than `times` (None: for ever)."""

    fault: Fault
    route: Route | None = None
    customer: str | None = None
    probability: float = 1.0
    after: int = 0
    times: int | None = None

    def strikes(self, call: Call, chance: Random) -> bool:
        """Whether it happens to this request; counts it."""
        if self.route not in (None, call.route) or self.customer not in (None, call.customer_id) or self.times == 0:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.probability < 1 and chance.random() >= self.probability:
            return False
        if self.times is not None:
            self.times -= 1
        return True


_MILLISECONDS = re.compile(r"(\d+(?:\.\d+)?)(?:ms)?")


@dataclass(frozen=True, slots=True)
class Latency:
    """How long an answer takes, in milliseconds: between `low` and `high`, and for a share `tail` of requests ten times that."""

    low: float = 0.0
    high: float | None = None
    tail: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Latency:
        """Read `50ms` or `20ms-80ms`; ValueError for anything else."""
        found = [_MILLISECONDS.fullmatch(part.strip()) for part in text.split("-")]
        if len(found) > 2 or not all(found):
            raise ValueError("should be milliseconds such as 50ms, or a range such as 20ms-80ms")
        return cls(*(float(part[1]) for part in found if part))

    def draw(self, chance: Random) -> float:
        """Seconds."""
        seconds = (self.low if self.high is None else chance.uniform(self.low, self.high)) / 1000
        return seconds * 10 if self.tail and chance.random() < self.tail else seconds


@dataclass(slots=True)
class Knobs:
    """Change any of these at any time; the next request meets it."""

    latency: Latency = field(default_factory=Latency)
    latency_of: dict[Route, Latency] = field(default_factory=dict)
    """For single routes; the others take `latency`."""
    rules: list[Rule] = field(default_factory=list)
    slow_body: float = 1.0
    page_cap: int = 100
    """The most items on a page, whatever was asked for; RevenueCat documents none."""
    over_cap: Literal["cap", "refuse"] = "cap"
    """What becomes of a `limit` over the cap: a page of the cap, or 400."""
    next_page: Literal["relative", "absolute", "foreign"] = "relative"
    last_page: Literal["null", "absent"] = "null"
    repeated_cursor: set[Route] = field(default_factory=set)
    """On these routes each page says that it is itself the next."""
    forgotten_cursor: set[Route] = field(default_factory=set)
    """On these routes every cursor is unknown: the first page comes again and again."""
    retry_after: Literal["seconds", "ms", "missing", "body_missing"] = "seconds"
    limits: bool = True
    window: Literal["sliding", "fixed"] = "sliding"
    """Sliding is the stricter one: what it lets through, fixed windows let through too."""
    neighbour: float = 0.0
    """Requests in a (scaled) minute that another program makes with the same key."""
    revoke_after: int | None = None
    """The key is revoked after so many more requests."""

    def add(
        self,
        fault: Fault,
        route: Route | None = None,
        *,
        customer: str | None = None,
        probability: float = 1.0,
        after: int = 0,
        times: int | None = None,
    ) -> Rule:
        """Let something go wrong, as `Rule` says; returns the rule, which `rules.remove` ends."""
        rule = Rule(fault, route, customer, probability, after, times)
        self.rules.append(rule)
        return rule

    def struck(self, call: Call, chance: Random) -> Fault | None:
        """What goes wrong with this request; of several rules, the first that strikes."""
        return next((rule.fault for rule in self.rules if rule.strikes(call, chance)), None)
