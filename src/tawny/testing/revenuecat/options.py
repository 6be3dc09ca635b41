"""What a fake is made with; all of this stays as it is while it serves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from tawny.testing.revenuecat.routes import Domain

WINDOW: Final = 60.0
LIMITS: Final[dict[Domain, int]] = {"customer_information": 480, "project_configuration": 60}
"""Requests in a window of sixty seconds, as RevenueCat publishes them."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Of what kinds the customers are: shares between 0 and 1."""

    anonymous: float = 0.1
    odd_ids: float = 0.05
    """Ids with spaces, slashes, percent signs, letters of other scripts, or more than 255 characters."""
    subscribers: float = 0.6
    buyers: float = 0.2
    heavy: float = 0.01
    """Have more subscriptions, purchases and attributes than a page of twenty holds."""
    sandbox: float = 0.05
    aliases: float = 0.1
    exhibits: bool = True
    """The first customers are one of each strange kind, so that a fake with thirty customers has them all."""


@dataclass(frozen=True, slots=True)
class Options:
    """The same options make the same customers, on any machine.

    `clock_scale=10` makes the window six seconds instead of sixty and lets a tenth of the requests into it, so that the rate is
    the real one, and divides every delay by ten. A limit that is given counts as it is: with `customer_limit=480` on a clock
    scaled by ten, all is ten times as fast as it really is. There are at least ten products.
    """

    customers: int = 100
    seed: int = 1
    mix: Mix = field(default_factory=Mix)
    clock_scale: float = 1.0
    customer_limit: int | None = None
    project_limit: int | None = None
    entitlements: int = 24
    products: int = 45
    log: int = 10_000
    """How many of the newest requests are remembered."""
    now: int | None = None
    """The time, in milliseconds, to which all times of the model are relative. Unless given: this day's beginning."""

    @property
    def window(self) -> float:
        """Seconds."""
        return WINDOW / self.clock_scale

    def limit(self, domain: Domain) -> int:
        """How many requests fit into a window."""
        given = self.customer_limit if domain == "customer_information" else self.project_limit
        return given if given is not None else max(1, round(LIMITS[domain] / self.clock_scale))

    def time(self) -> int:
        """The model's time, in milliseconds."""
        if self.now is not None:
            return self.now
        return round(datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000)
