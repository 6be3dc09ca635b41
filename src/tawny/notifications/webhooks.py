"""Where a team's news are posted to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, get_args
from uuid import UUID

from tawny.access import WRITE_NOTIFICATIONS, Actor, leave
from tawny.access.keyring import CannotDecrypt, Keyring
from tawny.access.names import clean_name
from tawny.db.ids import uuid7
from tawny.db.pool import Connection
from tawny.errors import Conflict, InvalidRequest, NotFound
from tawny.notifications.by_webhook import place_of
from tawny.notifications.events import RUN_EVENTS, RunEvent, in_order
from tawny.notifications.sign import new_secret
from tawny.notifications.statements import queries
from tawny.notifications.target import Target

Format = Literal["json", "slack"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)

MOST: Final = 20
"""Webhooks of one team."""

OVERLAP_HOURS: Final = 24
"""For how long an old secret signs beside its successor, unless somebody says otherwise."""

OVERLAP_MOST: Final = 168

_ALL: Final = UUID(int=0)
_BATCH: Final = 100
_COUNTED: Final = 100_000


@dataclass(frozen=True, slots=True)
class TeamWebhook:
    """A webhook as its team sees it. Of the url no more is shown than where it leads.

    `old_secret_until`: until when what is posted is signed with the secret before this one too.
    """

    id: UUID
    team_id: UUID
    name: str
    format: Format
    events: list[RunEvent]
    shown_url: str
    enabled: bool
    disabled_because: str | None
    old_secret_until: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """A webhook that was just made, or got another secret, and what its messages are signed with, which is shown only now."""

    webhook: TeamWebhook
    secret: str = field(repr=False)


async def create_webhook(
    conn: Connection,
    actor: Actor,
    keyring: Keyring,
    team_id: UUID,
    *,
    name: str,
    target: Target,
    format: str = "json",  # noqa: A002 (the word on the wire)
    events: Iterable[str] = RUN_EVENTS,
) -> NewWebhook:
    """Let news of a team be posted to `target`, which `read_url` and `addresses_of` have let through.

    InvalidRequest for a bad name, an unknown format or event, or none; Conflict with code `too_many_webhooks` at the twentieth.
    """
    actor.require(team_id, WRITE_NOTIFICATIONS)
    name, chosen, webhook_id, secret = clean_name(name), _some(events), uuid7(), new_secret()
    if format not in FORMATS:
        raise InvalidRequest(f"Unknown format. There is: {', '.join(FORMATS)}.", code="unknown_format")
    if await queries.count_webhooks(conn, team_id=team_id) >= MOST:
        raise Conflict(f"A team has at most {MOST} webhooks; delete one first.", code="too_many_webhooks")
    sealed = _sealed(keyring, webhook_id, {"url": target.url, "secret": secret})
    row = await queries.insert_webhook(
        conn,
        id=webhook_id,
        team_id=team_id,
        name=name,
        format=format,
        events=chosen,
        shown_url=target.shown,
        secrets=sealed,
    )
    about: dict[str, Any] = {"name": name, "url": target.shown, "format": format, "events": chosen}
    await leave(conn, actor, "create", "webhook", webhook_id, team_id=team_id, **about)
    return NewWebhook(_webhook(row), secret)


async def list_webhooks(conn: Connection, actor: Actor, team_id: UUID) -> list[TeamWebhook]:
    """List a team's webhooks, oldest first."""
    actor.require(team_id, WRITE_NOTIFICATIONS)
    return [_webhook(row) for row in await queries.list_webhooks(conn, team_id=team_id)]


async def find_webhook(conn: Connection, actor: Actor, team_id: UUID, webhook_id: UUID) -> TeamWebhook:
    """Return a webhook of this team; NotFound."""
    actor.require(team_id, WRITE_NOTIFICATIONS)
    return _webhook(_there(await queries.find_webhook(conn, id=webhook_id, team_id=team_id)))


async def update_webhook(
    conn: Connection,
    actor: Actor,
    keyring: Keyring,
    team_id: UUID,
    webhook_id: UUID,
    *,
    name: str | None = None,
    target: Target | None = None,
    events: Iterable[str] | None = None,
    enabled: bool | None = None,
) -> TeamWebhook:
    """Change a webhook; None leaves each as it is, and its secret stays. InvalidRequest as `create_webhook`, NotFound."""
    actor.require(team_id, WRITE_NOTIFICATIONS)
    row = _there(await queries.lock_webhook(conn, id=webhook_id, team_id=team_id))
    sealed: dict[str, str] = json.loads(row["secrets"])
    if target is not None:
        sealed["url"] = keyring.encrypt(target.url, place_of(webhook_id, "url"))
    before = {key: row[key] for key in ("name", "events", "shown_url", "enabled")}
    after: dict[str, Any] = {
        "name": row["name"] if name is None else clean_name(name),
        "events": row["events"] if events is None else _some(events),
        "shown_url": row["shown_url"] if target is None else target.shown,
        "enabled": row["enabled"] if enabled is None else enabled,
    }
    changed = await queries.update_webhook(conn, id=webhook_id, team_id=team_id, secrets=json.dumps(sealed), **after)
    changes = {key: (before[key], value) for key, value in after.items() if before[key] != value}
    if target is not None:
        changes.setdefault("shown_url", (before["shown_url"], target.shown))
    await leave(conn, actor, "update", "webhook", webhook_id, team_id=team_id, changes=changes)
    return _webhook(changed)


async def rotate_secret(
    conn: Connection, actor: Actor, keyring: Keyring, team_id: UUID, webhook_id: UUID, *, overlap_hours: int = OVERLAP_HOURS
) -> NewWebhook:
    """Give a webhook another secret, which signs at once. The one before signs too for so many hours, of which there may be none.

    A secret that is older still signs no more. InvalidRequest with code `invalid_overlap`, NotFound.
    """
    actor.require(team_id, WRITE_NOTIFICATIONS)
    if not 0 <= overlap_hours <= OVERLAP_MOST:
        raise InvalidRequest(f"The old secret may go on for 0 to {OVERLAP_MOST} hours.", code="invalid_overlap")
    row = _there(await queries.lock_webhook(conn, id=webhook_id, team_id=team_id))
    sealed, secret = json.loads(row["secrets"]), new_secret()
    sealed.pop("old_secret", None)
    if overlap_hours:
        sealed["old_secret"] = _moved(keyring, webhook_id, sealed["secret"], "secret", "old_secret")
    sealed["secret"] = keyring.encrypt(secret, place_of(webhook_id, "secret"))
    changed = await queries.replace_secret(conn, id=webhook_id, team_id=team_id, secrets=json.dumps(sealed), hours=overlap_hours)
    await leave(conn, actor, "update", "webhook", webhook_id, team_id=team_id, secret_rotated=True, overlap_hours=overlap_hours)
    return NewWebhook(_webhook(changed), secret)


async def delete_webhook(conn: Connection, actor: Actor, team_id: UUID, webhook_id: UUID) -> None:
    """Post nothing there any more, and forget its url and secret; NotFound."""
    actor.require(team_id, WRITE_NOTIFICATIONS)
    row = _there(await queries.lock_webhook(conn, id=webhook_id, team_id=team_id))
    await queries.delete_webhook(conn, id=webhook_id, team_id=team_id)
    await leave(conn, actor, "delete", "webhook", webhook_id, team_id=team_id, name=row["name"])


async def reencrypt(conn: Connection, actor: Actor, keyring: Keyring) -> int:
    """Encrypt the secrets of webhooks that are not under the first key anew, and return how many webhooks that were.

    Only the host may. CannotDecrypt names the one that was encrypted with a key that is not on the ring.
    """
    actor.require_host()
    changed, last = 0, UUID(int=0)
    while rows := await queries.next_webhook_secrets(conn, after=last, at_most=_BATCH):
        last = rows[-1]["id"]
        stale = {row["id"]: renewed for row in rows if (renewed := _renewed(keyring, row)) is not None}
        if stale:
            await queries.replace_webhook_secrets(conn, ids=list(stale), secrets=list(stale.values()))
        changed += len(stale)
    await leave(conn, actor, "update", "webhook", _ALL, team_id=None, reencrypted=changed)
    return changed


async def count_unreadable(conn: Connection, actor: Actor, keyring: Keyring | None) -> dict[str, int]:
    """By the id of each key that is not on the ring (None: there is no key): how many webhooks need it. Only the host may ask."""
    actor.require_host()
    key_ids = list(keyring.key_ids) if keyring else []
    rows = await queries.count_unreadable_webhooks(conn, key_ids=key_ids, at_most=_COUNTED)
    return {row["key_id"]: row["webhooks"] for row in rows}


def _some(events: Iterable[str]) -> list[RunEvent]:
    chosen = in_order(events)
    if not chosen:
        raise InvalidRequest("A webhook needs at least one event; disable or delete it otherwise.", code="unknown_event")
    return chosen


def _there(row: Any) -> Any:
    if row is None:
        raise NotFound("Webhook not found.")
    return row


def _webhook(row: Mapping[str, Any]) -> TeamWebhook:
    return TeamWebhook(**row)


def _sealed(keyring: Keyring, webhook_id: UUID, plain: Mapping[str, str]) -> str:
    return json.dumps({name: keyring.encrypt(text, place_of(webhook_id, name)) for name, text in plain.items()})


def _moved(keyring: Keyring, webhook_id: UUID, sealed: str, from_: str, to: str) -> str:
    return keyring.encrypt(keyring.decrypt(sealed, place_of(webhook_id, from_)), place_of(webhook_id, to))


def _renewed(keyring: Keyring, row: Mapping[str, Any]) -> str | None:
    """The secrets of a row under the first key; None when they are already."""
    sealed: dict[str, str] = json.loads(row["secrets"])
    if all(keyring.is_current(text) for text in sealed.values()):
        return None
    try:
        plain = {name: keyring.decrypt(text, place_of(row["id"], name)) for name, text in sealed.items()}
    except CannotDecrypt as error:
        raise CannotDecrypt(f"The webhook {row['id']} of the team {row['team_id']}: {error}") from None
    return _sealed(keyring, row["id"], plain)
