"""A RevenueCat to develop and test against: no account, no network, and every way in which such a service goes wrong."""

from tawny.testing.revenuecat.counters import Asked, Counters
from tawny.testing.revenuecat.customer import Customer
from tawny.testing.revenuecat.fake import FakeRevenueCat
from tawny.testing.revenuecat.key import ALL_SCOPES, PROJECT, Key
from tawny.testing.revenuecat.knobs import Fault, Knobs, Latency, Rule
from tawny.testing.revenuecat.options import LIMITS, Mix, Options
from tawny.testing.revenuecat.routes import SCOPES, Call, Domain, Route
from tawny.testing.revenuecat.truth import SubscriptionTruth, Truth

__all__ = [
    "ALL_SCOPES",
    "LIMITS",
    "PROJECT",
    "SCOPES",
    "Asked",
    "Call",
    "Counters",
    "Customer",
    "Domain",
    "FakeRevenueCat",
    "Fault",
    "Key",
    "Knobs",
    "Latency",
    "Mix",
    "Options",
    "Route",
    "Rule",
    "SubscriptionTruth",
    "Truth",
]
