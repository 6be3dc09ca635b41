"""How often something may be done where guessing or flooding pays: counted in the database, so over all processes."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from math import ceil
from typing import Final

from tawny.access.statements import queries
from tawny.db.pool import Connection
from tawny.errors import TooManyRequests


@dataclass(frozen=True, slots=True)
class Limit:
    """`times` at once, and as many again spread over the next `seconds`."""

    name: str
    times: int
    seconds: float
    sentence: str


CODES_OF_ADDRESS: Final = Limit("codes", 5, 3600, "Too many codes were asked for with this address")
CODES_OF_CLIENT: Final = Limit("codes-from", 30, 3600, "Too many codes were asked for from here")
TRIES_OF_CLIENT: Final = Limit("tries-from", 60, 3600, "Too many sign-ins were tried from here")
INVITATIONS_OF_TEAM: Final = Limit("invitations", 100, 86400, "This team has sent many invitations")


async def spend(conn: Connection, limit: Limit, subject: str) -> None:
    """Count one time for this subject; TooManyRequests, with the seconds to wait, for one too many, which is not counted."""
    row = await queries.spend(conn, subject=f"{limit.name}:{subject}", price=limit.seconds / limit.times, ahead=limit.seconds)
    if not row["granted"]:
        wait = max(1, ceil(row["wait"]))
        raise TooManyRequests(f"{limit.sentence}; wait {_in_words(wait)} and try again.", retry_after=wait)


def _in_words(seconds: int) -> str:
    return f"{seconds} seconds" if seconds < 120 else f"{ceil(seconds / 60)} minutes"


def client_subject(host: str | None) -> str:
    """Whom to count for what comes from this address: itself, of IPv6 the network of 64 bits that one customer has."""
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
