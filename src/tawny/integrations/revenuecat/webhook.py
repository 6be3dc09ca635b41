"""What RevenueCat tells by itself: that something has happened to somebody. What it is, is asked for at the next sync.

Events may come twice, late, or in any order, so that none of them is believed to say how things are now.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tawny.access.keyring import CannotDecrypt
from tawny.db.pool import Connection
from tawny.errors import InvalidRequest, NotFound, Unauthenticated, Unavailable
from tawny.integrations.providers import REVENUECAT, WEBHOOK_SECRET
from tawny.integrations.revenuecat.connection import RevenueCat
from tawny.integrations.revenuecat.statements import queries
from tawny.integrations.revenuecat.store import Owner, is_anonymous, is_storable
from tawny.integrations.store import open_receiver

REPLAY_WINDOW: Final = 300
"""Seconds that a signature is good for, before and after."""

_LONGEST_EVENT_ID: Final = 200
_MOST_USERS: Final = 100


@dataclass(frozen=True, slots=True)
class Shown:
    """What a caller shows: the header `Authorization`, or a signature of the body."""

    authorization: str | None
    signature: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """An event: its id, whom it is about, and by what names else they are known."""

    id: str
    about: tuple[str, ...]
    also: tuple[str, ...]


async def receiver(conn: Connection, revenuecat: RevenueCat, project_id: UUID) -> tuple[Owner, str]:
    """Whose events these are, and the secret to be shown; NotFound for a project that is not connected, or where that is off.

    Unavailable while the secret cannot be read, so that RevenueCat sends it again.
    """
    try:
        found = await open_receiver(conn, revenuecat.keyring(), project_id, REVENUECAT)
    except CannotDecrypt:
        raise Unavailable("This event cannot be taken just now; send it again later.") from None
    if found is None:
        raise NotFound("There is nobody to receive this.", code="not_connected")
    team_id, config = found
    return Owner(team_id, project_id), config[WEBHOOK_SECRET]


def check_caller(shown: Shown, secret: str, body: bytes, now: float) -> None:
    """Unauthenticated unless the caller knows the secret. A signature, where there is one, has to be right and of this moment."""
    if shown.signature is not None:
        good = _is_signed(shown.signature, secret, body, now)
    else:
        good = hmac.compare_digest((shown.authorization or "").encode(), f"Bearer {secret}".encode())
    if not good:
        raise Unauthenticated("This webhook has to show the secret that webhook-setup tells.", code="wrong_webhook_secret")


def _is_signed(signature: str, secret: str, body: bytes, now: float) -> bool:
    parts = [part.strip().partition("=") for part in signature.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit() and len(times[0]) < 12):
        return False
    if abs(now - int(times[0])) > REPLAY_WINDOW:
        return False
    right = hmac.new(secret.encode(), times[0].encode() + b"." + body, hashlib.sha256).hexdigest()
    return any(hmac.compare_digest(value.encode(), right.encode()) for name, _, value in parts if name == "v1")


def read_event(body: Mapping[str, Any]) -> Event:
    """Read the event in a body; InvalidRequest when there is none. Its type may be any."""
    event = body.get("event")
    event_id = event.get("id") if isinstance(event, dict) else None
    if not isinstance(event, dict) or not isinstance(event_id, str) or not 0 < len(event_id) <= _LONGEST_EVENT_ID:
        raise InvalidRequest("The body should hold an event with an id.", code="invalid_event")
    about = (*_ids(event.get("app_user_id")), *_ids(event.get("transferred_from")), *_ids(event.get("transferred_to")))
    also = (*_ids(event.get("original_app_user_id")), *_ids(event.get("aliases")))
    return Event(event_id, about[:_MOST_USERS], also[:_MOST_USERS])


def _ids(value: object) -> Iterator[str]:
    values = value if isinstance(value, list) else [value]
    return (one for one in values if isinstance(one, str) and is_storable(one))


async def receive(conn: Connection, owner: Owner, event: Event) -> bool:
    """Mark whom it is about as due, or make them known; False for an event that was received before."""
    if await queries.put_event(conn, project_id=owner.project_id, provider=REVENUECAT.id, event_id=event.id) is None:
        return False
    ids = sorted({owner.id_of(one) for one in (*event.about, *event.also)})
    where = {"team_id": owner.team_id, "project_id": owner.project_id}
    known = await queries.mark_due(conn, **where, ids=ids)
    if not known:
        new = [one for one in (*event.about, *event.also) if not is_anonymous(one)][:1]
        for one in new:
            await queries.ensure_subscriber(conn, **where, id=owner.id_of(one), app_user_id=one)
    return True
