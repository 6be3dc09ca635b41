"""Connect projects to other services, and look at what they are connected to."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from tawny.access import VIEW_INTEGRATIONS, WRITE_INTEGRATIONS, Actor, find_project_for, leave
from tawny.access.keyring import CannotDecrypt, Keyring
from tawny.db.ids import uuid7
from tawny.db.pool import Connection
from tawny.errors import Conflict, InvalidRequest, NotFound
from tawny.integrations.providers import PROVIDERS, WEBHOOK_SECRET, Provider
from tawny.integrations.statements import queries

SHOWN: Final = 4
"""Characters of a secret that people may see; of one that is not twice as long as that with something to spare, none."""

_ALL: Final = UUID(int=0)
"""In the audit log: not one integration but those of all teams."""

_BATCH: Final = 100
_EVENT_DAYS: Final = 30
_COUNTED: Final = 100_000


@dataclass(frozen=True, slots=True)
class Integration:
    """A project's connection to a service. Of each secret in `config` only the first four characters are shown."""

    id: UUID
    team_id: UUID
    project_id: UUID
    provider: str
    config: Mapping[str, str]
    enabled: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Saved:
    """An integration, and the secret that its service has to show when it calls."""

    integration: Integration
    webhook_secret: str = field(repr=False)


async def list_integrations(conn: Connection, actor: Actor, project_id: UUID) -> list[Integration]:
    """List what a project is connected to, oldest first; NotFound for a project that is not for this actor."""
    project = await find_project_for(conn, actor, project_id, VIEW_INTEGRATIONS)
    rows = await queries.list_integrations(conn, team_id=project.team_id, project_id=project_id)
    return [_integration(row) for row in rows]


async def connect(
    conn: Connection, actor: Actor, keyring: Keyring, project_id: UUID, *, provider: str, config: Mapping[str, Any]
) -> Saved:
    """Connect a project to a service. One that was disconnected comes back under its id, with this config.

    InvalidRequest for an unknown provider or a wrong config, Conflict with code `already_connected` while there is one, NotFound
    for a project that is not for this actor.
    """
    actor.teams_for(WRITE_INTEGRATIONS)
    service = _provider(provider)
    plain = _with_webhook_secret(service, service.check(config))
    project = await find_project_for(conn, actor, project_id, WRITE_INTEGRATIONS)
    return await _insert(conn, actor, keyring, project.team_id, project_id, service, plain)


async def copy(
    conn: Connection, actor: Actor, keyring: Keyring, project_id: UUID, source_project_id: UUID, *, provider: str
) -> Saved:
    """Connect a project as another one of the same team is; the webhook secret is a new one.

    Conflict as `connect`; NotFound when either project is not for this actor, or the source is not connected to this service, and
    InvalidRequest when they are of two teams.
    """
    actor.teams_for(WRITE_INTEGRATIONS)
    service = _provider(provider)
    project = await find_project_for(conn, actor, project_id, WRITE_INTEGRATIONS)
    source = await find_project_for(conn, actor, source_project_id, WRITE_INTEGRATIONS)
    if source.team_id != project.team_id:
        raise InvalidRequest("Both projects have to be of the same team.", code="different_teams")
    row = await queries.find_integration(conn, team_id=source.team_id, project_id=source_project_id, provider=service.id)
    plain = _plain(keyring, service, _connected(row, service))
    plain.pop(WEBHOOK_SECRET, None)
    return await _insert(
        conn,
        actor,
        keyring,
        project.team_id,
        project_id,
        service,
        _with_webhook_secret(service, plain),
        copied_from=source_project_id,
    )


async def update(
    conn: Connection,
    actor: Actor,
    keyring: Keyring,
    project_id: UUID,
    provider: str,
    *,
    config: Mapping[str, Any] | None = None,
    enabled: bool | None = None,
) -> Integration:
    """Change some fields of the config, or turn the integration off or on. What is left out stays as it is.

    InvalidRequest when the config is wrong after that, NotFound when there is none for this actor.
    """
    project = await find_project_for(conn, actor, project_id, WRITE_INTEGRATIONS)
    service = _provider(provider)
    row = await _locked(conn, project.team_id, project_id, service)
    before = _plain(keyring, service, row)
    after = service.check({**before, **(config or {})})
    enabled = row["enabled"] if enabled is None else enabled
    changes = _changes(service, before, after) | ({"enabled": (row["enabled"], enabled)} if enabled != row["enabled"] else {})
    shown, sealed = _sealed(keyring, service, project_id, after)
    updated = await queries.update_integration(
        conn, id=row["id"], team_id=project.team_id, config=shown, secrets=sealed, enabled=enabled
    )
    about = {"provider": provider, "project_id": project_id}
    await leave(conn, actor, "update", "integration", row["id"], team_id=project.team_id, changes=changes, **about)
    return _integration(updated)


async def disconnect(conn: Connection, actor: Actor, project_id: UUID, provider: str) -> None:
    """Forget an integration and its secrets; NotFound when there is none for this actor."""
    project = await find_project_for(conn, actor, project_id, WRITE_INTEGRATIONS)
    row = await _locked(conn, project.team_id, project_id, _provider(provider))
    await queries.delete_integration(conn, id=row["id"], team_id=project.team_id)
    await leave(
        conn, actor, "delete", "integration", row["id"], team_id=project.team_id, provider=provider, project_id=project_id
    )


async def webhook_secret(conn: Connection, actor: Actor, keyring: Keyring, project_id: UUID, provider: str) -> str:
    """What the service has to show when it calls. For those who may change the integration, since it is a secret."""
    project = await find_project_for(conn, actor, project_id, WRITE_INTEGRATIONS)
    service = _provider(provider)
    row = await queries.find_integration(conn, team_id=project.team_id, project_id=project_id, provider=service.id)
    return _plain(keyring, service, _connected(row, service))[WEBHOOK_SECRET]


async def reencrypt(conn: Connection, actor: Actor, keyring: Keyring) -> int:
    """Encrypt everything that is not under the first key anew, and return how many integrations that were.

    Only the host may. CannotDecrypt, which names it, when one of them was encrypted with a key that is not on the ring.
    """
    actor.require_host()
    changed, last = 0, UUID(int=0)
    while rows := await queries.next_secrets(conn, after=last, at_most=_BATCH):
        last = rows[-1]["id"]
        stale = {row["id"]: renewed for row in rows if (renewed := _renewed(keyring, row)) is not None}
        if stale:
            await queries.replace_secrets(conn, ids=list(stale), secrets=list(stale.values()))
        changed += len(stale)
    await leave(conn, actor, "update", "integration", _ALL, team_id=None, reencrypted=changed)
    return changed


async def count_unreadable(conn: Connection, actor: Actor, keyring: Keyring | None) -> dict[str, int]:
    """By the id of each key that is not on the ring (None: there is no key): how many integrations need it.

    Only the host may ask. It looks at a hundred thousand integrations at most, so that a start never waits for it.
    """
    actor.require_host()
    key_ids = list(keyring.key_ids) if keyring else []
    rows = await queries.count_unreadable(conn, key_ids=key_ids, at_most=_COUNTED)
    return {row["key_id"]: row["integrations"] for row in rows}


async def open_config(
    conn: Connection, keyring: Keyring, *, team_id: UUID, project_id: UUID, provider: Provider
) -> dict[str, str] | None:
    """The config with its secrets, for whoever calls the service; None unless the project is connected to it and it is on.

    Who asked for that call was checked before. CannotDecrypt when the key that it was encrypted with is not on the ring.
    """
    row = await queries.find_enabled(conn, team_id=team_id, project_id=project_id, provider=provider.id)
    return None if row is None else _plain(keyring, provider, row)


async def open_receiver(
    conn: Connection, keyring: Keyring, project_id: UUID, provider: Provider
) -> tuple[UUID, dict[str, str]] | None:
    """The team and the config of a project whose service calls; None as `open_config`. Nobody was checked yet."""
    row = await queries.find_receiver(conn, project_id=project_id, provider=provider.id)
    return None if row is None else (row["team_id"], _plain(keyring, provider, row))


async def connected_projects(conn: Connection, provider: Provider, *, after: UUID, at_most: int) -> list[tuple[UUID, UUID]]:
    """The projects of all teams, and their teams, that are connected to this service, with the integration on; by their ids."""
    rows = await queries.connected_projects(conn, provider=provider.id, after=after, at_most=at_most)
    return [(row["project_id"], row["team_id"]) for row in rows]


async def forget_events(conn: Connection) -> None:
    """Forget which events services have sent a month ago: they do not come again."""
    await queries.forget_events(conn, days=_EVENT_DAYS)


def _provider(provider: str) -> Provider:
    if provider not in PROVIDERS:
        raise InvalidRequest(f"Unknown provider. There is: {', '.join(PROVIDERS)}.", code="unknown_provider")
    return PROVIDERS[provider]


def _with_webhook_secret(service: Provider, config: dict[str, str]) -> dict[str, str]:
    if any(field.key == WEBHOOK_SECRET for field in service.fields):
        config.setdefault(WEBHOOK_SECRET, f"whsec_{secrets.token_hex(24)}")
    return config


async def _insert(
    conn: Connection,
    actor: Actor,
    keyring: Keyring,
    team_id: UUID,
    project_id: UUID,
    service: Provider,
    plain: dict[str, str],
    **metadata: Any,
) -> Saved:
    shown, sealed = _sealed(keyring, service, project_id, plain)
    if await queries.hold_project(conn, project_id=project_id, team_id=team_id) is None:
        raise NotFound("Project not found.")
    row = await queries.insert_integration(
        conn, id=uuid7(), team_id=team_id, project_id=project_id, provider=service.id, config=shown, secrets=sealed
    )
    if row is None:
        raise Conflict(
            f"This project is connected to {service.name} already; change that integration, or delete it first.",
            code="already_connected",
        )
    about: dict[str, Any] = {"provider": service.id, "project_id": project_id} | metadata
    await leave(conn, actor, "create", "integration", row["id"], team_id=team_id, **about)
    return Saved(_integration(row), plain.get(WEBHOOK_SECRET, ""))


async def _locked(conn: Connection, team_id: UUID, project_id: UUID, service: Provider) -> Any:
    row = await queries.lock_integration(conn, team_id=team_id, project_id=project_id, provider=service.id)
    return _connected(row, service)


def _connected(row: Any, service: Provider) -> Any:
    if row is None:
        raise NotFound(f"This project is not connected to {service.name}.", code="not_connected")
    return row


def _changes(service: Provider, before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[Any, Any]]:
    """Which fields became another value, and of those that are no secret, which one."""
    return {
        key: ("****", "****") if service.is_sensitive(key) else (before.get(key), value)
        for key, value in after.items()
        if before.get(key) != value
    }


def _sealed(keyring: Keyring, service: Provider, project_id: UUID, plain: Mapping[str, str]) -> tuple[str, str]:
    """The config as it is stored: what may be shown, and what is encrypted, both as JSON."""
    shown = {key: _redacted(value) if service.is_sensitive(key) else value for key, value in plain.items()}
    sealed = {
        key: keyring.encrypt(value, place_of(project_id, service.id, key))
        for key, value in plain.items()
        if service.is_sensitive(key)
    }
    return json.dumps(shown), json.dumps(sealed)


def _plain(keyring: Keyring, service: Provider, row: Any) -> dict[str, str]:
    """The config with its secrets."""
    config: dict[str, str] = json.loads(row["config"])
    for key, sealed in json.loads(row["secrets"]).items():
        config[key] = keyring.decrypt(sealed, place_of(row["project_id"], service.id, key))
    return config


def _renewed(keyring: Keyring, row: Any) -> str | None:
    """The secrets of a row under the first key, as JSON; None when they are already."""
    sealed: dict[str, str] = json.loads(row["secrets"])
    if all(keyring.is_current(text) for text in sealed.values()):
        return None
    places = {key: place_of(row["project_id"], row["provider"], key) for key in sealed}
    try:
        return json.dumps({key: keyring.encrypt(keyring.decrypt(text, places[key]), places[key]) for key, text in sealed.items()})
    except CannotDecrypt as error:
        raise CannotDecrypt(f"The integration {row['provider']} of the project {row['project_id']}: {error}") from None


def place_of(project_id: UUID, provider: str, key: str) -> str:
    """What a ciphertext is bound to."""
    return f"{project_id}|{provider}|{key}"


def _redacted(value: str) -> str:
    return f"{value[:SHOWN]}****" if len(value) > 2 * SHOWN else "****"


def _integration(row: Any) -> Integration:
    return Integration(**{**row, "config": json.loads(row["config"])})
