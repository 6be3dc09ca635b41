"""What kind of customer each number is."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final, Literal

from tawny.testing.revenuecat.ids import ODD, IdKind
from tawny.testing.revenuecat.options import Mix

Sandbox = Literal["none", "some", "only"]


@dataclass(frozen=True, slots=True)
class Shape:
    """How many of what a customer has."""

    id_kind: IdKind = "plain"
    subscriptions: int = 1
    purchases: int = 0
    attributes: int = 3
    aliases: int = 0
    sandbox: Sandbox = "none"
    promotional: bool = False
    """The first subscription was given: no product, no money, no end."""
    unheard_of: bool = False
    """Statuses, stores and fields that no description knows."""
    lifetime: bool = False
    """The first purchase gives an entitlement without end."""
    all_entitlements: bool = False
    never_seen: bool = False
    """`last_seen_at` is null."""


EXHIBITS: Final = (
    Shape(),
    *(Shape(kind) for kind in ODD),
    Shape("email", purchases=2),
    Shape("anonymous"),
    Shape(subscriptions=25),
    Shape(purchases=45),
    Shape(attributes=27),
    Shape(subscriptions=25, purchases=45, attributes=27),
    Shape(sandbox="only", purchases=2),
    Shape(sandbox="some", subscriptions=4, purchases=4),
    Shape(promotional=True),
    Shape(unheard_of=True, purchases=1),
    Shape(subscriptions=0, purchases=2, lifetime=True),
    Shape(aliases=3),
    Shape("anonymous", aliases=2),
    Shape(all_entitlements=True),
    Shape(never_seen=True),
    Shape(subscriptions=0, attributes=0),
)
"""One of each."""


def shape_of(seed: int, index: int, mix: Mix) -> Shape:
    """The kind of customer number `index`, the same at any time."""
    if mix.exhibits and 0 <= index < len(EXHIBITS):
        return EXHIBITS[index]
    chance = Random(f"shape/{seed}/{index}")  # noqa: S311  (a model, not a secret)
    heavy = chance.random() < mix.heavy
    return Shape(
        id_kind=_id_kind(chance, mix),
        subscriptions=25 if heavy else _count(chance, mix.subscribers, 3),
        purchases=45 if heavy else _count(chance, mix.buyers, 4),
        attributes=27 if heavy else chance.randrange(6),
        aliases=_count(chance, mix.aliases, 3),
        sandbox=chance.choice(("some", "only")) if chance.random() < mix.sandbox else "none",
    )


def _id_kind(chance: Random, mix: Mix) -> IdKind:
    drawn = chance.random()
    if drawn < mix.anonymous:
        return "anonymous"
    if drawn < mix.anonymous + mix.odd_ids:
        return chance.choice(ODD)
    return chance.choice(("plain", "email"))


def _count(chance: Random, share: float, most: int) -> int:
    return chance.randint(1, most) if chance.random() < share else 0
