"""What projects are connected to: RevenueCat, connected, tried, synced, turned off and let go."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tawny import integrations, runs
from tawny.access import LIST_RUNS, VIEW_INTEGRATIONS, VIEW_SUBSCRIBERS, WRITE_INTEGRATIONS, Project
from tawny.api.integrations import webhook_setup_of
from tawny.api.uuids import parse_uuid
from tawny.dashboard.page import TEAM, page
from tawny.dashboard.projects import project_of
from tawny.dashboard.reply import Reply
from tawny.dashboard.runs import projects_of
from tawny.dashboard.visit import Question, Visit
from tawny.db.pool import Connection
from tawny.errors import RequestError
from tawny.integrations import Integration, revenuecat
from tawny.integrations.providers import REVENUECAT, WEBHOOK_SECRET
from tawny.integrations.revenuecat import SYNC
from tawny.runs import Filter

ONE: Final = f"{TEAM}/integrations/{{project_id}}"

FIELDS: Final = tuple(field for field in REVENUECAT.fields if field.key != WEBHOOK_SECRET)
"""What a form asks for; the other secret is made by Tawny."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of the last press of a button."""

    good: bool
    sentence: str
    run: str | None = None


@page("GET", f"{TEAM}/integrations", needs=VIEW_INTEGRATIONS)
async def list_integrations(visit: Visit) -> Reply:
    """What the project in the address, or else the first one, is connected to."""
    chosen = parse_uuid(visit.query.get("project_id", ""))
    async with visit.state.pool.acquire() as conn:
        projects = await projects_of(conn, visit)
    project = projects.get(str(chosen)) or next(iter(projects.values()), None)
    if project is None:
        return visit.show("no_integrations.html")
    return await _shown(visit, project)


@page("POST", f"{ONE}/connect", needs=WRITE_INTEGRATIONS)
async def connect(visit: Visit) -> Reply:
    """Connect the project; or show the form again, and why it is not."""
    project, typed = await _project(visit), _typed(visit)
    try:
        async with visit.state.pool.transaction() as conn:
            await integrations.connect(conn, visit.actor, visit.state.keyring, project.id, provider=REVENUECAT.id, config=typed)
    except RequestError as error:
        return await _shown(visit, project, Told(False, error.message), typed)
    return _back(visit, project)


@page("POST", f"{ONE}/change", needs=WRITE_INTEGRATIONS)
async def change(visit: Visit) -> Reply:
    """Take what was typed; a field that was left empty stays as it is."""
    return await _update(visit, config=_typed(visit))


@page("POST", f"{ONE}/turn", needs=WRITE_INTEGRATIONS)
async def turn(visit: Visit) -> Reply:
    """Turn it off, or on again."""
    return await _update(visit, enabled=visit.form.text("to") == "on")


@page("POST", f"{ONE}/try", needs=WRITE_INTEGRATIONS)
async def try_key(visit: Visit) -> Reply:
    """See whether the key may do all that a sync does."""
    project = await _project(visit)
    try:
        async with visit.state.pool.acquire() as conn:
            connected = await revenuecat.find_connected(conn, visit.actor, visit.state.revenuecat, project.id)
        seen = await revenuecat.try_key(visit.state.revenuecat, connected, visit.state.pool.transaction)
    except RequestError as error:
        return await _shown(visit, project, Told(False, error.message))
    return await _shown(visit, project, Told(True, f"The key may do all that a sync does, in RevenueCat's project {seen}."))


@page("POST", f"{ONE}/sync", needs=WRITE_INTEGRATIONS)
async def sync(visit: Visit) -> Reply:
    """Ask for a sync and go to its run, or to the one that is active already."""
    project, job = await _project(visit), runs.choose_job(visit.state.jobs, SYNC)
    visit.state.pace.spend(visit.actor)
    try:
        async with visit.state.pool.transaction() as conn:
            connected = await revenuecat.find_connected(conn, visit.actor, visit.state.revenuecat, project.id)
            asked = await revenuecat.ask_for_sync(conn, visit.actor, job, connected)
    except RequestError as error:
        active = error.details.get("existing_run_id")
        return await _shown(visit, project, Told(False, error.message, visit.path(f"runs/{active}") if active else None))
    visit.state.waker.wake()
    return visit.go(visit.path(f"runs/{asked.run.id}"))


@page("GET", f"{ONE}/disconnect", needs=WRITE_INTEGRATIONS)
async def ask_to_disconnect(visit: Visit) -> Reply:
    """Ask whether it is to go."""
    project = await _project(visit)
    return visit.ask(
        Question(
            title=f"Disconnect {project.name} from {REVENUECAT.name}?",
            sentence="Its key is forgotten, and nothing is synced any more. The subscribers that are known stay.",
            action=visit.path(f"integrations/{project.id}/disconnect"),
            back=visit.path("integrations", project_id=project.id),
            button="Disconnect",
            danger=True,
        )
    )


@page("POST", f"{ONE}/disconnect", needs=WRITE_INTEGRATIONS)
async def disconnect(visit: Visit) -> Reply:
    """Forget the integration and its secrets."""
    project = await _project(visit)
    async with visit.state.pool.transaction() as conn:
        await integrations.disconnect(conn, visit.actor, project.id, REVENUECAT.id)
    return _back(visit, project)


@page("GET", f"{ONE}/webhook", needs=WRITE_INTEGRATIONS)
async def webhook(visit: Visit) -> Reply:
    """What to enter at RevenueCat, so that it calls. A secret is in it."""
    project = await _project(visit)
    async with visit.state.pool.acquire() as conn:
        secret = await integrations.webhook_secret(conn, visit.actor, visit.state.keyring, project.id, REVENUECAT.id)
    return visit.show(
        "webhook_setup.html", project=project, setup=webhook_setup_of(visit.call, project.id, REVENUECAT.id, secret)
    )


PAGES: Final = (list_integrations, connect, change, turn, try_key, sync, ask_to_disconnect, disconnect, webhook)


async def _project(visit: Visit) -> Project:
    return await project_of(visit, visit.call.id("project_id"))


def _typed(visit: Visit) -> dict[str, str]:
    given = {field.key: visit.form.text(field.key) for field in FIELDS}
    return {key: text for key, text in given.items() if text}


def _back(visit: Visit, project: Project) -> Reply:
    return visit.go(visit.path("integrations", project_id=project.id))


async def _update(visit: Visit, **changes: Any) -> Reply:
    project = await _project(visit)
    try:
        async with visit.state.pool.transaction() as conn:
            await integrations.update(conn, visit.actor, visit.state.keyring, project.id, REVENUECAT.id, **changes)
    except RequestError as error:
        return await _shown(visit, project, Told(False, error.message))
    return _back(visit, project)


async def _shown(visit: Visit, project: Project, told: Told | None = None, typed: Mapping[str, str] | None = None) -> Reply:
    async with visit.state.pool.acquire() as conn:
        connected = await _connected(conn, visit, project.id)
        last = await _last_sync(conn, visit, project.id)
        projects = await projects_of(conn, visit)
    return visit.show(
        "integrations.html",
        status=400 if told and not told.good else 200,
        project=project,
        projects=projects,
        provider=REVENUECAT,
        fields=FIELDS,
        connected=connected,
        last=last,
        told=told,
        typed={field.key: (typed or {}).get(field.key, "") if not field.sensitive else "" for field in FIELDS},
        may_write=visit.may(WRITE_INTEGRATIONS),
        may_list=visit.may(VIEW_SUBSCRIBERS),
    )


async def _connected(conn: Connection, visit: Visit, project_id: UUID) -> Integration | None:
    found = await integrations.list_integrations(conn, visit.actor, project_id)
    return next((integration for integration in found if integration.provider == REVENUECAT.id), None)


async def _last_sync(conn: Connection, visit: Visit, project_id: UUID) -> Any:
    """The newest sync of the project, for whom may list runs."""
    if not visit.may(LIST_RUNS):
        return None
    found = await runs.list_runs(conn, visit.actor, visit.team.id, where=Filter(job_type=SYNC, project_id=project_id), limit=1)
    return json.loads(found.runs[0]) if found.runs else None
