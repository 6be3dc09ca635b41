"""The ids of customers, from which their number can be read back, so that none has to be remembered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Final, Literal

IdKind = Literal["plain", "email", "space", "slash", "percent", "query", "unicode", "long", "anonymous"]

ANONYMOUS: Final = "$RCAnonymousID:"

_FORMS: Final[Mapping[IdKind, str]] = {
    "plain": "user-{}",
    "email": "person{}@example.org",
    "space": "user no {}",
    "slash": "shop/eu/{}",
    "percent": "100%25 off {}",
    "query": "who?is=this&user#{}",
    "unicode": "użytkownik-ゆき-{}",
    "long": "long-" + 30 * "0123456789" + "-{}",
}
ODD: Final[tuple[IdKind, ...]] = ("space", "slash", "percent", "query", "unicode", "long")

_LAST_NUMBER: Final = re.compile(r"([0-9]{1,9})[^0-9]*$")
_ANONYMOUS_NUMBER: Final = re.compile(re.escape(ANONYMOUS) + r"[0-9a-f]{24}([0-9a-f]{8})")


def id_of(kind: IdKind, seed: int, index: int) -> str:
    """The id of customer number `index`."""
    return _anonymous(seed, index, 0) if kind == "anonymous" else _FORMS[kind].format(index)


def aliases_of(seed: int, index: int, count: int) -> Iterator[str]:
    """The other ids of that customer: every second one is anonymous."""
    for number in range(1, count + 1):
        yield _anonymous(seed, index, number) if number % 2 else f"former-{number}-{index}"


def index_of(customer_id: str) -> int | None:
    """Whose id or alias this could be; whether it is, that customer knows."""
    if customer_id.startswith(ANONYMOUS):
        found = _ANONYMOUS_NUMBER.fullmatch(customer_id)
        return int(found[1], 16) if found else None
    found = _LAST_NUMBER.search(customer_id)
    return int(found[1]) if found else None


def _anonymous(seed: int, index: int, alias: int) -> str:
    digest = blake2b(f"{seed}/{index}".encode(), digest_size=10).hexdigest()
    return f"{ANONYMOUS}{digest}{alias:04x}{index:08x}"
