"""Where the pages of the dashboard are, in a town that has something of everything."""

from __future__ import annotations

from collections.abc import Iterator

from tests.browser.conftest import Town
from tests.notifications.receiver import Post
from tests.postgres import eventually
from tests.walks.test_notifications import listening

NO_PAGES = {
    "/": "leads to the first page of somebody's first team",
    "/teams/{team}": "leads to the first page of the team",
    "/teams/{team}/runs/{run_id}/logs": "lines, as a part of a run's page",
    "/teams/{team}/integrations/{project_id}/subscribers.csv": "a table to keep",
}
"""What is asked for like a page and is none."""


def places(town: Town) -> dict[str, str]:
    """An address for each page by the path that it is declared with; behind a space stands what is special there."""
    project = town.project("Everything <b>of</b> it")
    parts = (_runs, _schedules, _integrations, _settings)
    inside = {f"/teams/{{team}}/{what}": f"/teams/my-team/{at}" for part in parts for what, at in part(town, project)}
    return {"/sign-in": "/sign-in", "/sign-in/link": "/sign-in/link?token=nobody-s"} | inside


def _runs(town: Town, project: str) -> Iterator[tuple[str, str]]:
    failed = town.trigger("broken", text="It broke.", project_id=project)
    running = town.trigger("catalog", rows=10_000, pause_ms=1000, source=project, project_id=project)
    town.ended(failed)
    yield "overview", "overview"
    yield "workers", "workers"
    yield "errors", "errors"
    yield "errors none", "errors?job_type=catalog"
    yield "runs", "runs"
    yield "runs filtered", f"runs?status=failed&project_id={project}&since=24h"
    yield "runs none", "runs?search=nothing-has-this"
    yield "runs/open", "runs/open?run_id=x"
    yield "runs/bulk", f"runs/bulk?action=retry&ids={failed}"
    yield "runs/{run_id} failed", f"runs/{failed}"
    yield "runs/{run_id} running", f"runs/{running}"
    yield "runs/{run_id}/cancel", f"runs/{running}/cancel"
    yield "run-a-job", "run-a-job"
    yield "run-a-job form", "run-a-job?job_type=catalog"
    yield "run-a-job again", f"run-a-job?from={failed}"


def _schedules(town: Town, project: str) -> Iterator[tuple[str, str]]:
    made = town.send("POST", f"/v1/projects/{project}/schedules", {"job_type": "catalog", "cron": "30 2 * * *"})
    one = f"schedules/{project}/{made['id']}"
    yield "schedules", "schedules"
    yield "schedules/new", "schedules/new"
    yield "schedules/new form", "schedules/new?job_type=catalog"
    yield "schedules/{project_id}/{schedule_id}", one
    yield "schedules/{project_id}/{schedule_id}/edit", f"{one}/edit"
    yield "schedules/{project_id}/{schedule_id}/delete", f"{one}/delete"


def _integrations(town: Town, project: str) -> Iterator[tuple[str, str]]:
    empty = town.project("Connected to nothing")
    body = {"provider": "revenuecat", "config": {"api_key": town.revenuecat.key.secret}}
    town.send("POST", f"/v1/projects/{project}/integrations", body)
    sync = town.send("POST", f"/v1/projects/{project}/integrations/revenuecat/sync")
    town.ended(sync["job_run_id"])
    yield "integrations", f"integrations?project_id={project}"
    yield "integrations none", f"integrations?project_id={empty}"
    yield "integrations/{project_id}/disconnect", f"integrations/{project}/disconnect"
    yield "integrations/{project_id}/webhook", f"integrations/{project}/webhook"
    yield "integrations/{project_id}/subscribers", f"integrations/{project}/subscribers"
    yield "integrations/{project_id}/subscribers none", f"integrations/{empty}/subscribers"


def _settings(town: Town, project: str) -> Iterator[tuple[str, str]]:
    team = f"/v1/teams/{town.team_id}"
    key = town.send("POST", f"{team}/keys", {"name": "Of a place", "permissions": ["jobs:read"]})
    town.send("POST", f"{team}/invitations", {"email": "ben@example.com", "role": "member"})
    me = town.send("GET", "/v1/auth/whoami")["user"]["id"]
    yield "settings", "settings"
    yield "settings/members/{user_id}/remove", f"settings/members/{me}/remove"
    yield "settings/projects", "settings/projects"
    yield "settings/projects/{project_id}", f"settings/projects/{project}"
    yield "settings/projects/{project_id}/delete", f"settings/projects/{project}/delete"
    yield "settings/keys", "settings/keys"
    yield "settings/keys/{key_id}/revoke", f"settings/keys/{key['id']}/revoke"
    yield "settings/mails", "settings/mails"
    yield "settings/audit-log", "settings/audit-log"
    yield from _webhooks(town, f"{team}/webhooks")


def _webhooks(town: Town, at: str) -> Iterator[tuple[str, str]]:
    posts: list[Post] = []
    with listening(posts) as url:
        webhook = town.send("POST", at, {"name": "Of a place", "url": url, "events": ["failed"]})["id"]
        post = town.send("POST", f"{at}/{webhook}/test")["id"]
        eventually(lambda: town.send("GET", f"{at}/{webhook}/deliveries/{post}")["status"] == "delivered")
    yield "settings/webhooks", "settings/webhooks"
    yield "settings/webhooks/{webhook_id}", f"settings/webhooks/{webhook}"
    yield "settings/webhooks/{webhook_id}/delete", f"settings/webhooks/{webhook}/delete"
    yield "settings/webhooks/{webhook_id}/deliveries/{delivery_id}", f"settings/webhooks/{webhook}/deliveries/{post}"
