"""Ask for a sync: of everybody, as a run; of one subscriber, at once; or only whether it would work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tawny import runs
from tawny.access import WRITE_INTEGRATIONS, Actor, find_project_for, leave
from tawny.db.pool import Connection
from tawny.errors import InvalidRequest, NotFound, RequestError, ServiceFailed, TooManyRequests
from tawny.integrations.pace import Opens
from tawny.integrations.revenuecat import store
from tawny.integrations.revenuecat.connection import Credentials, RevenueCat, WrongProject, project_of
from tawny.integrations.revenuecat.statements import queries
from tawny.integrations.revenuecat.store import Due, Owner
from tawny.integrations.revenuecat.subscriber import Known, known
from tawny.integrations.service import CallFailed, Manners, Missing, Refused
from tawny.jobs import Job
from tawny.runs import Triggered


@dataclass(frozen=True, slots=True)
class Connected:
    """A project that is connected to RevenueCat."""

    owner: Owner
    credentials: Credentials


@dataclass(frozen=True, slots=True)
class Asked:
    """A run that syncs, and how many subscribers are known so far."""

    run: Triggered
    total: int


async def find_connected(conn: Connection, actor: Actor, revenuecat: RevenueCat, project_id: UUID) -> Connected:
    """With what a project is connected, for somebody who may change that.

    NotFound when the project is not for this actor or, with code `not_connected`, when it is not connected or that is off.
    """
    project = await find_project_for(conn, actor, project_id, WRITE_INTEGRATIONS)
    credentials = await revenuecat.credentials(conn, project.team_id, project_id)
    if credentials is None:
        raise NotFound("This project is not connected to RevenueCat, or the integration is off.", code="not_connected")
    return Connected(Owner(project.team_id, project_id), credentials)


async def ask_for_sync(conn: Connection, actor: Actor, job: Job, connected: Connected) -> Asked:
    """Make a run that syncs this project; Conflict with `existing_run_id` while there is one."""
    owner = connected.owner
    total = await store.count_known(conn, owner)
    made = await runs.trigger(conn, actor, job, team_id=owner.team_id, project_id=owner.project_id, needs=WRITE_INTEGRATIONS)
    return Asked(made, total)


def check_app_user_id(app_user_id: str) -> None:
    """InvalidRequest for the id of nobody."""
    if store.is_anonymous(app_user_id):
        raise InvalidRequest("This user is anonymous: only users with an id of their own are synced.", code="anonymous_user")
    if not store.is_storable(app_user_id):
        raise InvalidRequest(f"An app user id has 1 to {store.LONGEST_ID} characters.", code="invalid_app_user_id")


async def marks_of(conn: Connection, owner: Owner, app_user_id: str) -> int:
    """What `keep` has to be given back."""
    marks: int | None = await queries.marks_of(
        conn, team_id=owner.team_id, project_id=owner.project_id, id=owner.id_of(app_user_id)
    )
    return marks or 0


async def ask_for_one(revenuecat: RevenueCat, connected: Connected, app_user_id: str, opens: Opens) -> Known:
    """Ask RevenueCat for one subscriber. NotFound when there is none, InvalidRequest for a refused key, else ServiceFailed."""
    try:
        async with revenuecat.client(connected.credentials, opens, _hasty(revenuecat)) as client:
            project = await project_of(client, connected.credentials)
            catalog = await revenuecat.catalog(client, connected.credentials, project)
            return known(await client.customer(project, app_user_id), catalog, datetime.now(UTC))
    except CallFailed as error:
        raise _as_request_error(error) from None


async def keep(conn: Connection, actor: Actor, owner: Owner, found: Known, marks: int) -> Mapping[str, Any]:
    """Keep what is known of one subscriber, who may be new, and return its properties."""
    actor.require(owner.team_id, WRITE_INTEGRATIONS)
    row_id = owner.id_of(found.app_user_id)
    where = {"team_id": owner.team_id, "project_id": owner.project_id}
    await queries.ensure_subscriber(conn, **where, id=row_id, app_user_id=found.app_user_id)
    await store.write(conn, owner, [(Due(row_id, found.app_user_id, found.due_at, marks), found)])
    await leave(conn, actor, "update", "subscriber", row_id, team_id=owner.team_id, project_id=owner.project_id)
    return found.properties


async def try_key(revenuecat: RevenueCat, connected: Connected, opens: Opens) -> str:
    """Ask for one of everything that a sync asks for, and return the project's id. Raises as `ask_for_one`."""
    try:
        async with revenuecat.client(connected.credentials, opens, _hasty(revenuecat)) as client:
            project = await project_of(client, connected.credentials)
            await client.check(project)
            return project
    except CallFailed as error:
        raise _as_request_error(error) from None


def _hasty(revenuecat: RevenueCat) -> Manners:
    """Somebody waits for the answer."""
    return replace(revenuecat.manners, tries=2, longest_wait=5.0, answer=10.0)


def _as_request_error(error: CallFailed) -> RequestError:
    if isinstance(error, Refused):
        return InvalidRequest(error.message, code="key_refused")
    if isinstance(error, WrongProject):
        return InvalidRequest(error.message, code="wrong_project")
    if isinstance(error, Missing):
        return NotFound(error.message, code="unknown_subscriber")
    if error.label == "429":
        return TooManyRequests("RevenueCat is too busy with this key just now; try again in a minute.", retry_after=60)
    return ServiceFailed(error.message)
