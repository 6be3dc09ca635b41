"""Every page, and what else browsers ask for, as routes of an API."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from starlette.routing import Route

from tawny.dashboard import (
    audit_log,
    bulk,
    errors,
    home,
    integrations,
    keys,
    live,
    mails,
    members,
    overview,
    posts,
    projects,
    run,
    runs,
    schedule_form,
    schedules,
    sign_in,
    static,
    subscribers,
    trigger,
    webhooks,
    workers,
)
from tawny.dashboard.page import Page, served

PAGES: Final[tuple[Page, ...]] = (
    *home.PAGES,
    *sign_in.PAGES,
    *overview.PAGES,
    *runs.PAGES,
    *bulk.PAGES,
    *errors.PAGES,
    *trigger.PAGES,
    *run.PAGES,
    *workers.PAGES,
    *schedule_form.PAGES,
    *schedules.PAGES,
    *integrations.PAGES,
    *subscribers.PAGES,
    *members.PAGES,
    *projects.PAGES,
    *keys.PAGES,
    *webhooks.PAGES,
    *posts.PAGES,
    *mails.PAGES,
    *audit_log.PAGES,
)


def mount(api: FastAPI) -> FastAPI:
    """Serve the dashboard beside an API made by `tawny.api.create_app`, wherever that is mounted. Returns the API."""
    pages = [Route(page.path, served(page), methods=[page.method], name=page.name) for page in PAGES]
    api.router.routes.extend([*pages, *live.ROUTES, *static.ROUTES])
    return api
