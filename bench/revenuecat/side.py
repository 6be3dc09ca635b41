"""What one side did: how long, with how many requests, and how many users are as they should be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bench.revenuecat.loop import User
from bench.revenuecat.options import SCALE
from tawny.testing.revenuecat import FakeRevenueCat


@dataclass(frozen=True, slots=True)
class Side:
    """`busiest` is the most requests in any sixty (scaled) seconds, refused ones included. `lost` users were not written at all;
    `wrong` ones were, and not as they are."""

    seconds: float
    users: int
    requests: int
    busiest: int
    rate_limited: int
    correct: int
    lost: int
    wrong: int

    @property
    def requests_per_user(self) -> float:
        return self.requests / self.users

    @property
    def correct_per_minute(self) -> float:
        return self.correct / (self.seconds * SCALE / 60)

    def as_json(self) -> dict[str, float]:
        names = ("seconds", "users", "requests", "busiest", "rate_limited", "correct", "lost", "wrong")
        return {name: getattr(self, name) for name in (*names, "requests_per_user", "correct_per_minute")}


def named(fake: FakeRevenueCat) -> list[str]:
    """The customers that have to be synced: all but the anonymous ones."""
    return [customer_id for customer_id in fake.customer_ids() if not fake.truth(customer_id).anonymous]


def judged(fake: FakeRevenueCat, seconds: float, written: Iterable[User]) -> Side:
    """Hold what was written against the truth."""
    by_id = {user.id: user for user in written}
    users = named(fake)
    lost = sum(is_lost(by_id, customer_id) for customer_id in users)
    correct = sum(is_correct(fake, by_id[customer_id]) for customer_id in users if not is_lost(by_id, customer_id))
    counters = fake.counters
    return Side(
        seconds=seconds,
        users=len(users),
        requests=counters.total,
        busiest=counters.max_in_window["customer_information"],
        rate_limited=counters.rate_limited,
        correct=correct,
        lost=lost,
        wrong=len(users) - lost - correct,
    )


def is_lost(written: Mapping[str, User], customer_id: str) -> bool:
    return customer_id not in written or written[customer_id].entitlements is None


def is_correct(fake: FakeRevenueCat, user: User) -> bool:
    truth = fake.truth(user.id)
    expected = User(user.id, list(truth.entitlements), truth.revenue_usd_cents, _texts(truth.attributes))
    return user == expected


def _texts(attributes: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in attributes.items() if value is not None}
