"""Who did what: each verb that changes something leaves one row, which stays, and holds no secret."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from tests.access.deeds import DEEDS, HOST, KEYRING, PROVIDER, REACHED, Left, Office
from tests.access.door import ANN, SECRET, Door
from tests.runs.conftest import app

from tawny import access, integrations, notifications, runs, schedules
from tawny.access import Actor, AuditFilter, signature_of
from tawny.db.pool import Connection
from tawny.errors import Conflict, InvalidRequest, NotFound, RequestError
from tawny.integrations import revenuecat
from tawny.runs import Filter

ROOMS = (access, runs, integrations, revenuecat, schedules, notifications)

READING: dict[str, Callable[[Office], Awaitable[object]]] = {
    "access.find_project": lambda o: access.find_project(o.conn, o.owner, o.project_id),
    "access.find_project_for": lambda o: access.find_project_for(o.conn, o.owner, o.project_id, access.WRITE_PROJECTS),
    "access.list_audit": lambda o: access.list_audit(o.conn, o.owner, o.team_id, where=AuditFilter(), limit=5),
    "access.list_invitations": lambda o: access.list_invitations(o.conn, o.owner, o.team_id),
    "access.list_keys": lambda o: access.list_keys(o.conn, o.owner, o.team_id),
    "access.list_members": lambda o: access.list_members(o.conn, o.owner, o.team_id),
    "access.list_projects": lambda o: access.list_projects(o.conn, o.owner),
    "access.list_teams": lambda o: access.list_teams(o.conn, o.owner),
    "access.my_invitations": lambda o: access.my_invitations(o.conn, o.owner),
    "access.require_role_in_project": lambda o: access.require_role_in_project(
        o.conn, o.owner, o.project_id, access.WRITE_PROJECTS
    ),
    "integrations.count_unreadable": lambda o: integrations.count_unreadable(o.conn, Actor.host(), KEYRING),
    "integrations.list_integrations": lambda o: integrations.list_integrations(o.conn, o.owner, o.project_id),
    "integrations.webhook_secret": lambda o: integrations.webhook_secret(o.conn, o.owner, KEYRING, o.project_id, PROVIDER),
    "notifications.count_unreadable": lambda o: notifications.count_unreadable(o.conn, Actor.host(), KEYRING),
    "notifications.find_delivery": lambda o: notifications.find_delivery(o.conn, o.owner, o.team_id, uuid4(), uuid4()),
    "notifications.find_webhook": lambda o: notifications.find_webhook(o.conn, o.owner, o.team_id, uuid4()),
    "notifications.last_refusals": lambda o: notifications.last_refusals(o.conn, HOST),
    "notifications.list_deliveries": lambda o: notifications.list_deliveries(
        o.conn, o.owner, o.team_id, uuid4(), after=None, limit=5
    ),
    "notifications.list_webhooks": lambda o: notifications.list_webhooks(o.conn, o.owner, o.team_id),
    "revenuecat.find_connected": lambda o: revenuecat.find_connected(o.conn, o.owner, REACHED, o.project_id),
    "revenuecat.list_subscribers": lambda o: revenuecat.list_subscribers(
        o.conn, o.owner, o.project_id, which=revenuecat.Which(), limit=5
    ),
    "notifications.find_preferences": lambda o: notifications.find_preferences(o.conn, o.owner, o.team_id),
    "runs.count_by_status": lambda o: runs.count_by_status(o.conn, o.owner, o.team_id, where=Filter()),
    "runs.search_runs": lambda o: runs.search_runs(o.conn, o.owner, o.team_id, "x", where=Filter(), limit=5),
    "runs.find": lambda o: runs.find(o.conn, o.owner, uuid4()),
    "runs.check_trigger": lambda o: runs.check_trigger(
        o.conn, o.owner, app.jobs["export"], team_id=o.team_id, project_id=o.project_id
    ),
    "runs.require_role_to_retry": lambda o: runs.require_role_to_retry(o.conn, o.owner, uuid4()),
    "runs.list_system_runs": lambda o: runs.list_system_runs(o.conn, HOST, limit=5),
    "schedules.find_schedule": lambda o: schedules.find_schedule(o.conn, o.owner, o.project_id, uuid4()),
    "schedules.list_schedules": lambda o: schedules.list_schedules(o.conn, o.owner, o.project_id),
    "schedules.schedule_of": lambda o: schedules.schedule_of(o.conn, o.owner, o.team_id, uuid4()),
    "runs.list_runs": lambda o: runs.list_runs(o.conn, o.owner, o.team_id, where=runs.Filter(), limit=5),
}
SILENT = {
    "access.leave": "it is what leaves the row, in the name of another verb",
}


@pytest.fixture
async def office(conn: Connection) -> Office:
    return await Office.open(conn)


async def rows(conn: Connection) -> dict[UUID, Any]:
    return {row["id"]: row for row in await conn.fetch("select *, audit_json(a) as entry from audit_log as a")}


async def new_rows(conn: Connection, before: dict[UUID, Any]) -> list[Any]:
    return [row for row_id, row in (await rows(conn)).items() if row_id not in before]


@pytest.mark.parametrize("verb", DEEDS)
async def test_what_is_done_leaves_one_row_that_says_who_did_what_and_no_secret(office: Office, verb: str) -> None:
    deed = DEEDS[verb](office)
    await anext(deed)
    before = await rows(office.conn)
    async with office.conn.transaction():
        left = await anext(deed)
    assert isinstance(left, Left)
    (row,) = await new_rows(office.conn, before)
    signed = signature_of(left.by)
    assert (row["actor_type"], row["actor_id"]) == (signed.actor_type, signed.actor_id)
    assert (row["action"], row["resource_type"], row["resource_id"]) == (left.action, left.resource, left.about)
    assert row["team_id"] == left.team_id
    assert [secret for secret in left.secrets if secret in row["entry"]] == []


@pytest.mark.parametrize("verb", DEEDS)
async def test_what_is_undone_leaves_none(office: Office, verb: str) -> None:
    deed = DEEDS[verb](office)
    await anext(deed)
    before = await rows(office.conn)
    transaction = office.conn.transaction()
    await transaction.start()
    assert await anext(deed)
    assert len(await new_rows(office.conn, before)) == 1
    await transaction.rollback()
    assert await new_rows(office.conn, before) == []


async def test_looking_at_things_leaves_none(office: Office) -> None:
    await office.connect()
    before = await rows(office.conn)
    for look in READING.values():
        with suppress(NotFound):
            await look(office)
    assert await new_rows(office.conn, before) == []


def verbs(room: ModuleType, first: tuple[str, ...]) -> set[str]:
    """The public verbs of a room whose first parameters are these."""
    public = {name: getattr(room, name) for name in room.__all__}
    return {
        f"{room.__name__.rpartition('.')[2]}.{name}"
        for name, verb in public.items()
        if inspect.iscoroutinefunction(verb) and tuple(inspect.signature(verb).parameters)[: len(first)] == first
    }


def test_every_verb_of_an_actor_says_whether_it_leaves_a_row() -> None:
    """A new one is entered in DEEDS when it changes something, in READING otherwise; and nothing is in two of the tables."""
    listed = [verb.partition(",")[0] for verb in DEEDS if "," not in verb] + [*READING, *SILENT]
    assert len(listed) == len(set(listed))
    asked_by_an_actor = set().union(*(verbs(room, ("conn", "actor")) for room in ROOMS))
    assert asked_by_an_actor - set(listed) == set()
    assert set(listed) - set().union(*(verbs(room, ("conn",)) for room in ROOMS)) == set()
    assert {"access.verify_code", "access.agent_login"} <= set(DEEDS)


async def test_what_changes_nothing_leaves_no_second_row(office: Office) -> None:
    key_id, _ = await office.key()
    run_id, _ = await office.run(), await office.connect()
    session_id, _ = await access.open_session(office.conn, SECRET, office.owner.id)
    signed_in = Actor("user", office.owner.id, session_id=session_id)
    await access.revoke_key(office.conn, office.owner, office.team_id, key_id)
    await access.end_session(office.conn, signed_in)
    await runs.claim(office.conn, await runs.enlist(office.conn, name="t", version="0", lease=60), job_types=["export"], slots=1)
    await runs.cancel(office.conn, office.owner, run_id)
    before = await rows(office.conn)
    await access.revoke_key(office.conn, office.owner, office.team_id, key_id)
    await access.end_session(office.conn, signed_in)
    assert await runs.cancel(office.conn, office.owner, run_id) is None
    assert await new_rows(office.conn, before) == []


async def test_a_request_that_is_answered_a_second_time_leaves_no_second_row(office: Office) -> None:
    await office.run(idempotency_key="k")
    before = await rows(office.conn)
    await office.run(idempotency_key="k")
    assert await new_rows(office.conn, before) == []


async def test_what_is_refused_leaves_none(office: Office) -> None:
    await office.run()
    await office.connect()
    member = await office.member()
    owner, team_id = office.owner, office.team_id
    before = await rows(office.conn)
    for ask, refusal in (
        (office.run(), Conflict),
        (office.connect(), Conflict),
        (access.create_project(office.conn, owner, team_id, name="Web", slug="web"), Conflict),
        (access.add_member(office.conn, HOST, team_id, email=ANN, role="admin"), Conflict),
        (access.invite(office.conn, owner, team_id, email=ANN, role="admin"), Conflict),
        (access.remove_member(office.conn, owner, team_id, owner.id), Conflict),
        (access.set_role(office.conn, member, team_id, owner.id, "admin"), RequestError),
        (runs.trigger_system(office.conn, owner, app.jobs["sweep"]), RequestError),
        (access.update_project(office.conn, owner, office.project_id, slug="NO"), InvalidRequest),
        (runs.cancel(office.conn, owner, uuid4()), RequestError),
    ):
        with pytest.raises(refusal):
            await ask
    door = Door(office.conn)
    await door.code()
    assert await door.verify("wrong") is await door.agent("wrong") is None
    assert await new_rows(office.conn, before) == []


async def test_a_row_names_a_key_and_a_user_by_id_and_the_operator_as_the_system(office: Office) -> None:
    key = Actor("api_key", uuid4(), {office.team_id: "owner"}, frozenset({"projects:write"}), office.owner.id)
    for slug, actor in (("by-user", office.owner), ("by-key", key), ("by-host", HOST)):
        await access.create_project(office.conn, actor, office.team_id, name=slug, slug=slug)
    said = await office.conn.fetch(
        "select metadata ->> 'slug', actor_type, actor_id from audit_log where resource_type = 'project'"
    )
    assert {tuple(row) for row in said} == {
        ("web", "user", office.owner.id),
        ("by-user", "user", office.owner.id),
        ("by-key", "api_key", key.id),
        ("by-host", "system", None),
    }


async def changes(conn: Connection, resource_id: UUID) -> Any:
    found = await conn.fetchval("select changes::text from audit_log where resource_id = $1 and action = 'update'", resource_id)
    return found and json.loads(found)


async def test_a_change_says_what_was_and_what_became(office: Office) -> None:
    member = await office.member()
    await access.set_role(office.conn, office.owner, office.team_id, member.id, "admin")
    assert await changes(office.conn, member.id) == {"role": {"before": "member", "after": "admin"}}
    await access.update_project(office.conn, office.owner, office.project_id, name="Shop", slug="web")
    assert await changes(office.conn, office.project_id) == {"name": {"before": "Web", "after": "Shop"}}


async def test_a_change_of_a_secret_says_only_that(office: Office) -> None:
    saved = await office.connect()
    config = {"api_key": "sk_another_secret_of_theirs"}
    await integrations.update(office.conn, office.owner, KEYRING, office.project_id, PROVIDER, config=config)
    assert await changes(office.conn, saved.integration.id) == {"api_key": {"before": "****", "after": "****"}}


@pytest.mark.parametrize("statement", ["update audit_log set actor_id = null", "delete from audit_log", "truncate audit_log"])
async def test_what_is_in_the_log_is_neither_changed_nor_deleted(office: Office, statement: str) -> None:
    before = await rows(office.conn)
    with pytest.raises(asyncpg.RaiseError, match="the audit log only grows"):
        await office.conn.execute(statement)
    assert await rows(office.conn) == before != {}
