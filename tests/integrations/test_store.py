"""Connecting projects to other services."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
from tests.integrations.conftest import AddProject, AddUser
from tests.waiting import until

from tawny.access import Actor, create_project, create_team, delete_project
from tawny.access.keyring import key_id
from tawny.db.ids import uuid7
from tawny.db.pool import Connection, Pool
from tawny.errors import Conflict, Forbidden, InvalidRequest, NotFound, RequestError
from tawny.integrations import (
    CannotDecrypt,
    Integration,
    Keyring,
    Saved,
    connect,
    copy,
    count_unreadable,
    disconnect,
    list_integrations,
    reencrypt,
    update,
    webhook_secret,
)
from tawny.integrations.store import place_of

T = TypeVar("T")

HOST = Actor.host()
OLD, NEW = b"1" * 32, b"2" * 32
API_KEY = "sk_live_nobody_may_see_this"
CONFIG = {"api_key": API_KEY}
RC = "revenuecat"


async def connected(conn: Connection, actor: Actor, ring: Keyring, project_id: UUID, **config: str) -> Saved:
    return await connect(conn, actor, ring, project_id, provider=RC, config=config or CONFIG)


async def stored(conn: Connection, project_id: UUID) -> dict[str, Any]:
    row = await conn.fetchrow("select * from integrations where project_id = $1", project_id)
    assert row
    return dict(row) | {"config": json.loads(row["config"]), "secrets": json.loads(row["secrets"])}


async def decrypted(conn: Connection, ring: Keyring, project_id: UUID) -> dict[str, str]:
    """The secrets of a project's integration, as whoever has the keys reads them."""
    row = await stored(conn, project_id)
    return {key: ring.decrypt(text, place_of(project_id, row["provider"], key)) for key, text in row["secrets"].items()}


async def audited(conn: Connection, action: str) -> list[dict[str, Any]]:
    rows = await conn.fetch(
        "select actor_id, team_id, resource_id, changes, metadata from audit_log "
        "where resource_type = 'integration' and action = $1 order by created_at, id",
        action,
    )
    return [dict(row) | {name: json.loads(row[name]) if row[name] else None for name in ("changes", "metadata")} for row in rows]


# Connecting


async def test_a_project_is_connected(conn: Connection, team_id: UUID, admin: Actor, keyring: Keyring, project_id: UUID) -> None:
    saved = await connected(conn, admin, keyring, project_id)
    made = saved.integration
    assert (made.team_id, made.project_id, made.provider, made.enabled) == (team_id, project_id, RC, True)
    assert made.created_at == made.updated_at
    assert made.created_at.microsecond % 1000 == 0
    assert made.config == {"api_key": "sk_l****", "webhook_secret": "whse****"}
    assert await list_integrations(conn, admin, project_id) == [made]
    assert await decrypted(conn, keyring, project_id) == CONFIG | {"webhook_secret": saved.webhook_secret}


async def test_nothing_secret_is_stored_or_shown(conn: Connection, admin: Actor, keyring: Keyring, project_id: UUID) -> None:
    saved = await connected(conn, admin, keyring, project_id)
    await update(conn, admin, keyring, project_id, RC, config={"api_key": f"{API_KEY}2"})
    tables = await conn.fetch("select i::text from integrations as i union all select a::text from audit_log as a")
    shown = f"{[row[0] for row in tables]}{saved!r}{await list_integrations(conn, admin, project_id)!r}"
    assert API_KEY[4:] not in shown
    assert saved.webhook_secret[6:] not in shown


async def test_each_integration_gets_a_webhook_secret_of_its_own(
    conn: Connection, admin: Actor, keyring: Keyring, add_project: AddProject
) -> None:
    made = [(await connected(conn, admin, keyring, await add_project())).webhook_secret for _ in range(5)]
    assert len(set(made)) == 5
    assert all(len(secret) > 40 for secret in made)


async def test_a_webhook_secret_may_be_given(conn: Connection, admin: Actor, keyring: Keyring, project_id: UUID) -> None:
    saved = await connected(conn, admin, keyring, project_id, api_key=API_KEY, webhook_secret="whsec_of_ours")
    assert saved.webhook_secret == "whsec_of_ours"
    assert await webhook_secret(conn, admin, keyring, project_id, RC) == "whsec_of_ours"


@pytest.mark.parametrize(
    ("secret", "shown"), [("12345678", "****"), ("1", "****"), ("123456789", "1234****"), ("1234" * 1000, "1234****")]
)
async def test_of_a_secret_four_characters_are_shown_and_of_a_short_one_none(
    conn: Connection, admin: Actor, keyring: Keyring, project_id: UUID, secret: str, shown: str
) -> None:
    saved = await connected(conn, admin, keyring, project_id, api_key=secret)
    assert saved.integration.config["api_key"] == shown


async def test_a_second_one_is_refused_and_changes_nothing(
    conn: Connection, admin: Actor, keyring: Keyring, project_id: UUID
) -> None:
    await connected(conn, admin, keyring, project_id)
    before = await stored(conn, project_id)
    with pytest.raises(Conflict) as refused:
        await connected(conn, admin, keyring, project_id, api_key="another_one")
    assert refused.value.code == "already_connected"
    assert await stored(conn, project_id) == before
    assert len(await audited(conn, "create")) == 1


async def test_of_many_who_connect_at_once_one_does(pool: Pool, admin: Actor, keyring: Keyring, project_id: UUID) -> None:
    async def attempt(_: int) -> Saved:
        async with pool.transaction() as conn:
            return await connected(conn, admin, keyring, project_id)

    outcomes = await asyncio.gather(*map(attempt, range(6)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict"] * 5 + ["Saved"]
    async with pool.acquire() as conn:
        assert len(await audited(conn, "create")) == 1


async def test_a_wrong_config_or_an_unknown_provider_is_refused(
    conn: Connection, admin: Actor, keyring: Keyring, project_id: UUID
) -> None:
    for provider, config, code in ((RC, {}, "invalid_config"), ("acme", CONFIG, "unknown_provider")):
        with pytest.raises(InvalidRequest) as refused:
            await connect(conn, admin, keyring, project_id, provider=provider, config=config)
        assert refused.value.code == code
    assert await list_integrations(conn, admin, project_id) == []


# Changing


async def test_a_change_keeps_what_it_does_not_name(conn: Connection, admin: Actor, keyring: Keyring, project_id: UUID) -> None:
    saved = await connected(conn, admin, keyring, project_id)
    changed = await update(conn, admin, keyring, project_id, RC, config={"api_key": "new_secret_key"})
    assert changed == replace(
        saved.integration,
        config=dict(saved.integration.config) | {"api_key": "new_****"},
        updated_at=changed.updated_at,
    )
    assert changed.updated_at > saved.integration.updated_at
    assert await decrypted(conn, keyring, project_id) == {"api_key": "new_secret_key", "webhook_secret": saved.webhook_secret}

    off = await update(conn, admin, keyring, project_id, RC, enabled=False)
    assert (off.enabled, off.config) == (False, changed.config)
    assert (await update(conn, admin, keyring, project_id, RC, config={"api_key": API_KEY})).enabled is False
    assert (await decrypted(conn, keyring, project_id))["webhook_secret"] == saved.webhook_secret


@pytest.mark.parametrize("config", [{"api_key": ""}, {"apikey": "x"}, {"api_key": None}, {"webhook_secret": 7}])
async def test_what_is_wrong_after_the_change_is_refused_and_changes_nothing(
    conn: Connection, admin: Actor, keyring: Keyring, project_id: UUID, config: dict[str, Any]
) -> None:
    await connected(conn, admin, keyring, project_id)
    before = await stored(conn, project_id)
    with pytest.raises(InvalidRequest) as refused:
        await update(conn, admin, keyring, project_id, RC, config=config, enabled=False)
    assert refused.value.code == "invalid_config"
    assert await stored(conn, project_id) == before
    assert await audited(conn, "update") == []


async def test_the_whole_is_looked_at_and_not_only_what_is_sent(
    conn: Connection, admin: Actor, keyring: Keyring, project_id: UUID
) -> None:
    await connected(conn, admin, keyring, project_id)
    await conn.execute("update integrations set secrets = secrets - 'api_key', config = config - 'api_key'")
    with pytest.raises(InvalidRequest, match="api_key is required"):
        await update(conn, admin, keyring, project_id, RC, enabled=False)


async def test_the_audit_log_tells_what_changed_and_no_secret(
    conn: Connection, team_id: UUID, admin: Actor, keyring: Keyring, project_id: UUID
) -> None:
    made = (await connected(conn, admin, keyring, project_id)).integration
    await update(conn, admin, keyring, project_id, RC, config={"api_key": "new_secret_key"}, enabled=False)
    await update(conn, admin, keyring, project_id, RC, config={"api_key": "new_secret_key"}, enabled=False)
    await disconnect(conn, admin, project_id, RC)
    about = {"provider": RC, "project_id": str(project_id)}
    entry = {"actor_id": admin.id, "team_id": team_id, "resource_id": made.id, "changes": None, "metadata": about}
    hidden = {"before": "****", "after": "****"}
    assert await audited(conn, "create") == [entry]
    changed = entry | {"changes": {"api_key": hidden, "enabled": {"before": True, "after": False}}}
    updates = await audited(conn, "update")  # perhaps of the same millisecond
    assert len(updates) == 2
    assert changed in updates
    assert entry in updates
    assert await audited(conn, "delete") == [entry]


# Disconnecting


async def test_who_disconnects_leaves_no_secret(conn: Connection, admin: Actor, keyring: Keyring, project_id: UUID) -> None:
    await connected(conn, admin, keyring, project_id)
    await disconnect(conn, admin, project_id, RC)
    row = await stored(conn, project_id)
    assert (row["config"], row["secrets"], row["enabled"]) == ({}, {}, False)
    assert row["deleted_at"] is not None
    assert await list_integrations(conn, admin, project_id) == []


async def test_what_is_not_connected_cannot_be_changed(
    conn: Connection, admin: Actor, keyring: Keyring, project_id: UUID, add_project: AddProject
) -> None:
    async def refused(attempt: Callable[[], Awaitable[object]]) -> None:
        with pytest.raises(NotFound) as caught:
            await attempt()
        assert caught.value.code == "not_connected"

    source = await add_project()
    await connected(conn, admin, keyring, source)
    await disconnect(conn, admin, source, RC)
    for project in (project_id, source):
        await refused(lambda project=project: update(conn, admin, keyring, project, RC, enabled=True))  # type: ignore[misc]
        await refused(lambda project=project: disconnect(conn, admin, project, RC))  # type: ignore[misc]
        await refused(lambda project=project: webhook_secret(conn, admin, keyring, project, RC))  # type: ignore[misc]
    await refused(lambda: copy(conn, admin, keyring, project_id, source, provider=RC))


async def test_one_that_was_disconnected_comes_back_under_its_id_as_a_new_one(
    conn: Connection, admin: Actor, keyring: Keyring, project_id: UUID
) -> None:
    first = await connected(conn, admin, keyring, project_id)
    await update(conn, admin, keyring, project_id, RC, enabled=False)
    await disconnect(conn, admin, project_id, RC)
    second = await connected(conn, admin, keyring, project_id, api_key="another_secret")
    assert second.integration.id == first.integration.id
    assert second.integration.enabled is True
    assert second.integration.created_at == second.integration.updated_at > first.integration.created_at
    assert second.webhook_secret != first.webhook_secret
    assert (await decrypted(conn, keyring, project_id))["api_key"] == "another_secret"
    assert await list_integrations(conn, admin, project_id) == [second.integration]
    assert [entry["resource_id"] for entry in await audited(conn, "create")] == [first.integration.id] * 2


async def test_with_a_project_go_its_secrets(
    conn: Connection, admin: Actor, keyring: Keyring, project_id: UUID, add_project: AddProject
) -> None:
    other = await add_project()
    await connected(conn, admin, keyring, project_id)
    await connected(conn, admin, keyring, other)
    await delete_project(conn, admin, project_id)
    row = await stored(conn, project_id)
    assert (row["config"], row["secrets"], row["enabled"], row["deleted_at"] is None) == ({}, {}, False, False)
    assert (await decrypted(conn, keyring, other))["api_key"] == API_KEY


async def test_who_connects_a_project_that_is_being_deleted_waits_and_finds_it_gone(
    pool: Pool, conn: Connection, admin: Actor, keyring: Keyring, project_id: UUID
) -> None:
    async with pool.acquire() as deleting:
        transaction = deleting.transaction()
        await transaction.start()
        await delete_project(deleting, admin, project_id)
        connecting = asyncio.create_task(in_transaction(pool, lambda other: connected(other, admin, keyring, project_id)))
        await until(lambda: somebody_waits(conn), "a wait for the project")
        await transaction.commit()
    with pytest.raises(NotFound, match="Project not found"):
        await connecting
    assert await conn.fetchval("select count(*) from integrations") == 0


async def in_transaction(pool: Pool, verb: Callable[[Connection], Awaitable[T]]) -> T:
    async with pool.transaction() as conn:
        return await verb(conn)


async def somebody_waits(conn: Connection) -> bool:
    """Whether a connection to this database waits for a lock."""
    waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    return bool(await conn.fetchval(f"select exists ({waiting})"))


# Copying


async def test_a_copy_has_the_config_and_a_webhook_secret_of_its_own(
    conn: Connection, admin: Actor, keyring: Keyring, project_id: UUID, add_project: AddProject
) -> None:
    source = await add_project()
    original = await connected(conn, admin, keyring, source)
    await update(conn, admin, keyring, source, RC, config={"api_key": "newer_secret"})
    before = await stored(conn, source)
    saved = await copy(conn, admin, keyring, project_id, source, provider=RC)
    assert (saved.integration.project_id, saved.integration.config["api_key"]) == (project_id, "newe****")
    assert saved.webhook_secret != original.webhook_secret
    assert await decrypted(conn, keyring, project_id) == {"api_key": "newer_secret", "webhook_secret": saved.webhook_secret}
    assert await stored(conn, source) == before
    assert (await audited(conn, "create"))[-1]["metadata"] == {
        "provider": RC,
        "project_id": str(project_id),
        "copied_from": str(source),
    }


async def test_a_copy_replaces_nothing(
    conn: Connection, admin: Actor, keyring: Keyring, project_id: UUID, add_project: AddProject
) -> None:
    source = await add_project()
    await connected(conn, admin, keyring, source)
    await connected(conn, admin, keyring, project_id, api_key="another_secret")
    for target in (project_id, source):
        with pytest.raises(Conflict) as refused:
            await copy(conn, admin, keyring, target, source, provider=RC)
        assert refused.value.code == "already_connected"
    assert (await decrypted(conn, keyring, project_id))["api_key"] == "another_secret"


async def test_two_that_are_copied_onto_each_other_do_not_wait_for_each_other(
    pool: Pool, conn: Connection, admin: Actor, keyring: Keyring, add_project: AddProject
) -> None:
    a, b = await add_project(), await add_project()
    for project in (a, b):
        await connected(conn, admin, keyring, project)
    both = [(a, b), (b, a)] * 5
    outcomes = await asyncio.gather(
        *(
            in_transaction(pool, lambda other, to=to, source=source: copy(other, admin, keyring, to, source, provider=RC))  # type: ignore[misc]
            for to, source in both
        ),
        return_exceptions=True,
    )
    assert {type(outcome) for outcome in outcomes} == {Conflict}


async def test_nothing_is_copied_from_one_team_to_another(
    conn: Connection, team_id: UUID, admin: Actor, keyring: Keyring, project_id: UUID
) -> None:
    other = await create_team(conn, HOST, name="Other", owner_email="o@example.com")
    foreign = (await create_project(conn, HOST, other.team_id, name="Web", slug="web")).id
    both = replace(admin, roles={team_id: "admin", other.team_id: "owner"})
    await connected(conn, both, keyring, foreign)
    with pytest.raises(InvalidRequest) as refused:
        await copy(conn, both, keyring, project_id, foreign, provider=RC)
    assert refused.value.code == "different_teams"
    with pytest.raises(NotFound, match="Project not found"):
        await copy(conn, admin, keyring, project_id, foreign, provider=RC)
    with pytest.raises(NotFound, match="Project not found"):
        await copy(conn, admin, keyring, foreign, project_id, provider=RC)
    member_there = replace(both, roles={team_id: "admin", other.team_id: "member"})
    with pytest.raises(Forbidden):
        await copy(conn, member_there, keyring, project_id, foreign, provider=RC)
    assert await list_integrations(conn, admin, project_id) == []


# Ciphertexts that are moved


async def test_a_secret_that_was_moved_elsewhere_is_refused(
    conn: Connection, admin: Actor, keyring: Keyring, project_id: UUID, add_project: AddProject
) -> None:
    other = await add_project()
    await connected(conn, admin, keyring, project_id)
    await connected(conn, admin, keyring, other)
    theirs = json.dumps((await stored(conn, other))["secrets"])
    ours = (await stored(conn, project_id))["secrets"]
    swapped = json.dumps({"api_key": ours["webhook_secret"], "webhook_secret": ours["api_key"]})
    for secrets in (theirs, swapped):
        await conn.execute("update integrations set secrets = $2 where project_id = $1", project_id, secrets)
        await cannot_be_read(conn, admin, keyring, project_id, await add_project())


async def test_a_secret_whose_key_is_lost_can_be_entered_anew(
    conn: Connection, admin: Actor, project_id: UUID, add_project: AddProject
) -> None:
    await connected(conn, admin, Keyring([OLD]), project_id)
    ring = Keyring([NEW])
    await cannot_be_read(conn, admin, ring, project_id, await add_project())
    assert len(await list_integrations(conn, admin, project_id)) == 1
    await disconnect(conn, admin, project_id, RC)
    await connected(conn, admin, ring, project_id)
    assert (await decrypted(conn, ring, project_id))["api_key"] == API_KEY


async def cannot_be_read(conn: Connection, actor: Actor, ring: Keyring, project_id: UUID, target: UUID) -> None:
    """Every verb that needs the secrets of this project's integration says that they cannot be decrypted, and nothing changes."""
    before = await stored(conn, project_id)
    for attempt in (
        webhook_secret(conn, actor, ring, project_id, RC),
        update(conn, actor, ring, project_id, RC, config={"api_key": "new_secret_key"}),
        copy(conn, actor, ring, target, project_id, provider=RC),
    ):
        with pytest.raises(CannotDecrypt) as refused:
            await attempt
        assert API_KEY not in str(refused.value)
    assert await stored(conn, project_id) == before
    assert await list_integrations(conn, actor, target) == []


# Rights


Verb = Callable[[Connection, Actor, UUID], Awaitable[object]]

RING = Keyring([OLD])
READING: dict[str, Verb] = {"list": list_integrations}
GOOD = {"api_key": "sk_live_1234567890"}


def writing(provider: str) -> dict[str, Verb]:
    """The verbs that need the right to write, about this provider."""
    return {
        "connect": lambda conn, actor, project: connect(conn, actor, RING, project, provider=provider, config=GOOD),
        "update": lambda conn, actor, project: update(conn, actor, RING, project, provider, enabled=False),
        "disconnect": lambda conn, actor, project: disconnect(conn, actor, project, provider),
        "copy": lambda conn, actor, project: copy(conn, actor, RING, project, project, provider=provider),
        "webhook_secret": lambda conn, actor, project: webhook_secret(conn, actor, RING, project, provider),
    }


WRITING = writing("revenuecat")
VERBS = READING | WRITING


async def refusal(attempt: Awaitable[object]) -> str:
    with pytest.raises(RequestError) as refused:
        await attempt
    return refused.value.code


def a_key(team_id: UUID, *permissions: Any, role: Any = "owner") -> Actor:
    return Actor("api_key", uuid4(), {team_id: role}, frozenset(permissions))


@pytest.mark.parametrize("verb", VERBS)
async def test_foreign_and_unknown_projects_are_the_same_to_whoever_asks(
    conn: Connection, team_id: UUID, admin: Actor, verb: str
) -> None:
    other = await create_team(conn, HOST, name="Other", owner_email="o@example.com")
    foreign = (await create_project(conn, HOST, other.team_id, name="Web", slug="web")).id
    for actor in (admin, a_key(team_id, "integrations:read", "integrations:write")):
        assert [await refusal(VERBS[verb](conn, actor, project)) for project in (foreign, uuid4())] == ["not_found"] * 2


@pytest.mark.parametrize("verb", VERBS)
async def test_a_deleted_project_is_unknown(conn: Connection, admin: Actor, project_id: UUID, verb: str) -> None:
    await delete_project(conn, admin, project_id)
    assert await refusal(VERBS[verb](conn, admin, project_id)) == "not_found"


@pytest.mark.parametrize("verb", VERBS)
async def test_a_key_without_the_permission_learns_nothing(conn: Connection, team_id: UUID, project_id: UUID, verb: str) -> None:
    lacking = a_key(team_id, "integrations:read" if verb in WRITING else "integrations:write", "jobs:write", "projects:write")
    for project in (project_id, uuid4()):
        assert await refusal(VERBS[verb](conn, lacking, project)) == "insufficient_permission"


@pytest.mark.parametrize("verb", WRITING)
async def test_members_only_look(conn: Connection, add_user: AddUser, team_id: UUID, project_id: UUID, verb: str) -> None:
    member = await add_user("member")
    assert await list_integrations(conn, member, project_id) == []
    of_member = a_key(team_id, "integrations:read", "integrations:write", role="member")
    assert await list_integrations(conn, of_member, project_id) == []
    for actor in (member, of_member):
        assert await refusal(WRITING[verb](conn, actor, project_id)) == "insufficient_role"


@pytest.mark.parametrize("verb", WRITING)
async def test_admins_owners_and_their_keys_get_as_far_as_the_provider(
    conn: Connection, add_user: AddUser, team_id: UUID, project_id: UUID, verb: str
) -> None:
    for actor in (await add_user("admin"), await add_user("owner"), a_key(team_id, "integrations:write")):
        assert await refusal(writing("nope")[verb](conn, actor, project_id)) == "unknown_provider"


async def test_the_keys_of_all_are_the_operators(conn: Connection, add_user: AddUser, team_id: UUID) -> None:
    for actor in (await add_user("owner"), a_key(team_id, "integrations:write", "system:read")):
        assert await refusal(reencrypt(conn, actor, RING)) == "host_only"
        assert await refusal(count_unreadable(conn, actor, RING)) == "host_only"


# Other keys


async def fill(conn: Connection, team_id: UUID, ring: Keyring, count: int) -> dict[UUID, str]:
    """Connect this many new projects; returns the API key of each."""
    secrets = {uuid7(): f"sk_secret_{number}" for number in range(count)}
    await conn.executemany(
        "insert into projects (id, team_id, name, slug, color) values ($1, $2, 'P', $3, '#000000')",
        [(project, team_id, project.hex) for project in secrets],
    )
    await conn.executemany(
        "insert into integrations (id, team_id, project_id, provider, config, secrets) values ($1, $2, $3, $4, '{}', $5)",
        [
            (uuid7(), team_id, project, RC, json.dumps({"api_key": ring.encrypt(text, place_of(project, RC, "api_key"))}))
            for project, text in secrets.items()
        ],
    )
    return secrets


async def test_everything_is_encrypted_anew_and_then_the_old_key_can_go(conn: Connection, team_id: UUID) -> None:
    secrets = await fill(conn, team_id, Keyring([OLD]), 250)
    current = await fill(conn, team_id, Keyring([NEW]), 3)
    kept = {project: await stored(conn, project) for project in current}
    ring = Keyring([NEW, OLD])
    assert await reencrypt(conn, HOST, ring) == 250
    for project, text in secrets.items():
        assert await decrypted(conn, Keyring([NEW]), project) == {"api_key": text}
    assert {project: await stored(conn, project) for project in current} == kept
    assert await reencrypt(conn, HOST, ring) == 0


async def test_there_may_be_nothing_to_encrypt_anew(conn: Connection, admin: Actor, project_id: UUID) -> None:
    ring = Keyring([NEW, OLD])
    assert await reencrypt(conn, HOST, ring) == 0
    await connected(conn, admin, Keyring([OLD]), project_id)
    await disconnect(conn, admin, project_id, RC)
    assert await reencrypt(conn, HOST, Keyring([NEW])) == 0


async def test_one_that_has_a_secret_under_each_key_is_encrypted_anew(conn: Connection, admin: Actor, project_id: UUID) -> None:
    saved = await connected(conn, admin, Keyring([OLD]), project_id)
    new = json.dumps({"api_key": Keyring([NEW]).encrypt("newer", place_of(project_id, RC, "api_key"))})
    await conn.execute("update integrations set secrets = secrets || $1::text::jsonb", new)
    assert await reencrypt(conn, HOST, Keyring([NEW, OLD])) == 1
    assert await decrypted(conn, Keyring([NEW]), project_id) == {"api_key": "newer", "webhook_secret": saved.webhook_secret}


async def test_nothing_else_of_an_integration_changes(conn: Connection, admin: Actor, project_id: UUID) -> None:
    await connected(conn, admin, Keyring([OLD]), project_id)
    before = await stored(conn, project_id)
    await reencrypt(conn, HOST, Keyring([NEW, OLD]))
    assert {**await stored(conn, project_id), "secrets": None} == {**before, "secrets": None}


async def test_one_that_cannot_be_decrypted_is_named_and_nothing_is_changed(conn: Connection, team_id: UUID, pool: Pool) -> None:
    fine = await fill(conn, team_id, Keyring([OLD]), 2)
    (lost,) = await fill(conn, team_id, Keyring([b"3" * 32]), 1)
    with pytest.raises(CannotDecrypt, match=f"The integration revenuecat of the project {lost}: .* key that is not set"):
        await in_transaction(pool, lambda other: reencrypt(other, HOST, Keyring([NEW, OLD])))
    for project, text in fine.items():
        assert await decrypted(conn, Keyring([OLD]), project) == {"api_key": text}


async def test_a_change_that_is_under_way_is_not_undone(
    conn: Connection, pool: Pool, admin: Actor, project_id: UUID, add_project: AddProject
) -> None:
    old, ring = Keyring([OLD]), Keyring([NEW, OLD])
    other = await add_project()
    for project in (project_id, other):
        await connected(conn, admin, old, project)
    async with pool.acquire() as changing:
        transaction = changing.transaction()
        await transaction.start()
        await update(changing, admin, old, project_id, RC, config={"api_key": "changed_meanwhile"})
        await disconnect(changing, admin, other, RC)
        encrypting = asyncio.create_task(in_transaction(pool, lambda waiting: reencrypt(waiting, HOST, ring)))
        await until(lambda: somebody_waits(conn), "a wait for the one that is being changed")
        await transaction.commit()
    assert await encrypting == 1
    assert (await decrypted(conn, Keyring([NEW]), project_id))["api_key"] == "changed_meanwhile"
    assert await decrypted(conn, ring, other) == {}


async def test_changes_of_a_running_server_and_new_keys_do_not_hinder_each_other(
    conn: Connection, pool: Pool, team_id: UUID, admin: Actor
) -> None:
    ring = Keyring([NEW, OLD])
    projects = list(await fill(conn, team_id, Keyring([OLD]), 120))
    changed = projects[::20]

    async def change(project: UUID) -> Integration:
        config = {"api_key": f"changed {project}"}
        return await in_transaction(pool, lambda other: update(other, admin, ring, project, RC, config=config))

    async def encrypt(_: int) -> int:
        return await in_transaction(pool, lambda other: reencrypt(other, HOST, ring))

    await asyncio.gather(*map(encrypt, range(2)), *map(change, changed))
    for project in projects:
        secrets = await decrypted(conn, Keyring([NEW]), project)
        assert (secrets["api_key"] == f"changed {project}") is (project in changed)


async def test_the_keys_that_are_missing_are_counted(
    conn: Connection, team_id: UUID, admin: Actor, project_id: UUID, add_project: AddProject
) -> None:
    old, new = Keyring([OLD]), Keyring([NEW])
    assert await count_unreadable(conn, HOST, None) == {}
    await connected(conn, admin, old, project_id)
    await fill(conn, team_id, old, 2)
    await fill(conn, team_id, new, 1)
    gone = await add_project()
    await connected(conn, admin, new, gone)
    await disconnect(conn, admin, gone, RC)
    assert await count_unreadable(conn, HOST, Keyring([NEW, OLD])) == {}
    assert await count_unreadable(conn, HOST, new) == {key_id(OLD): 3}
    assert await count_unreadable(conn, HOST, old) == {key_id(NEW): 1}
    assert await count_unreadable(conn, HOST, None) == {key_id(OLD): 3, key_id(NEW): 1}
    await reencrypt(conn, HOST, Keyring([NEW, OLD]))
    assert await count_unreadable(conn, HOST, new) == {}
