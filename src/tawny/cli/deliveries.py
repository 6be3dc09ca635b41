"""What `tawny admin deliveries` says of messages that wait."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tawny import access, notifications
from tawny.db.pool import Connection
from tawny.notifications import words

Found = Mapping[str, Mapping[str, Any]]
"""By channel: how many messages wait, how old the oldest is, how many ended how, and what came of the last try."""


async def look(conn: Connection) -> Found:
    """Ask for all of it."""
    posting = await notifications.measure(conn)
    refusals = {one.channel: one for one in await notifications.last_refusals(conn, access.Actor.host())}
    found: dict[str, Mapping[str, Any]] = {}
    for one in posting.waiting:
        brought = {of.outcome: of.tries for of in posting.brought if of.channel == one.channel}
        last = refusals.get(one.channel)
        found[one.channel] = {
            "waiting": one.waiting,
            "oldest_seconds": round(one.oldest_seconds, 1),
            "delivered": brought.get("delivered", 0),
            "given_up": brought.get("given_up", 0),
            "last_not_taken": {"at": last.at.isoformat(), "error": last.error, "status": last.status} if last else None,
        }
    return found


def told(found: Found) -> str:
    """The same for people, and what to do next."""
    return "\n".join([*_lines(found), _next(found)])


def _lines(found: Found) -> Iterator[str]:
    for channel, of in found.items():
        oldest = f", the oldest for {words.duration(of['oldest_seconds'])}" if of["waiting"] else ""
        yield f"{channel:8}  {of['waiting']:,} wait{oldest}; {of['delivered']:,} delivered, {of['given_up']:,} given up"
        if last := of["last_not_taken"]:
            ago = (datetime.now(UTC) - datetime.fromisoformat(last["at"])).total_seconds()
            yield f"{'':8}  not taken {words.duration(max(0.0, ago))} ago: {_why(last)}"


def _why(last: Mapping[str, Any]) -> str:
    return " ".join(str(of) for of in (last["error"], last["status"]) if of is not None) or "nobody knows"


def _next(found: Found) -> str:
    if found["mail"]["last_not_taken"]:
        return "Next: see to the mail server that TAWNY_SMTP_URL names. What waits is tried again by itself, for seven days."
    if found["webhook"]["last_not_taken"]:
        return "Posts are tried again by themselves; the team of a webhook sees in its log why they are not taken."
    return "Nothing waits for a receiver that did not take it."
