"""Laws about the web door: what is served is documented, and every route has a test of how it says no."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.routing import BaseRoute, Route

from tawny import Tawny
from tawny.api import openapi
from tawny.api.app import create_app
from tawny.config import Settings

TESTS = Path(__file__).parents[1] / "api"

REFUSALS = {
    "GET /v1/jobs/{run_id}/events": "test_events.py::test_unknown_foreign_malformed_and_system_runs_are_the_same_404",
    "GET /v1/teams/{team_id}/jobs/events": "test_events.py::test_what_is_no_id_of_an_event_is_refused_by_name",
    "GET /v1/jobs/{run_id}": "test_view.py::test_unknown_foreign_malformed_and_system_runs_are_the_same_404",
    "GET /v1/teams/{team_id}/jobs": "test_list.py::test_a_limit_out_of_bounds_is_refused_naming_them",
    "POST /v1/teams/{team_id}/jobs/trigger": "test_trigger.py::test_a_wrong_body_is_refused_by_name",
    "POST /v1/jobs/{run_id}/cancel": "test_cancel.py::test_unknown_foreign_malformed_and_system_runs_are_the_same_404",
    "GET /v1/jobs/{run_id}/timeline": "test_timeline.py::test_unknown_foreign_malformed_and_system_runs_are_the_same_404",
    "POST /v1/jobs/{run_id}/retry": "test_retry.py::test_unknown_foreign_malformed_and_system_runs_are_the_same_404",
    "GET /v1/jobs/{run_id}/logs": "test_logs.py::test_a_wrong_parameter_is_refused_by_name",
    "GET /v1/teams/{team_id}/jobs/stats": "test_stats.py::test_a_wrong_parameter_is_refused_by_name",
    "GET /v1/teams/{team_id}/jobs/counts": "test_counts.py::test_a_wrong_parameter_is_refused_by_name",
    "GET /v1/teams/{team_id}/jobs/errors": "test_error_groups.py::test_a_wrong_parameter_is_refused_by_name",
    "GET /v1/teams/{team_id}/workers": "test_workers.py::test_who_may_not_list_runs_learns_nothing_of_workers",
    "POST /v1/teams/{team_id}/jobs/bulk": "test_bulk.py::test_a_wrong_body_is_refused_by_name",
    "GET /v1/system/jobs": "test_system_jobs.py::test_only_the_operators_key_opens_it",
    "GET /v1/job-types": "test_job_types.py::test_job_types_are_refused_to_who_is_in_no_team",
    "GET /healthz": "test_errors.py::test_another_method_is_a_405_that_names_the_allowed_ones",
    "GET /readyz": "test_health.py::test_without_a_database_the_process_is_up_but_not_ready",
    "GET /metrics": "test_metrics.py::test_without_a_database_there_are_none",
    "POST /v1/auth/send-code": "test_sign_in.py::test_what_is_no_address_is_refused_everywhere",
    "POST /v1/auth/verify-code": "test_sign_in.py::test_a_code_that_is_not_good_is_the_same_401",
    "POST /v1/auth/agent-login": "test_sign_in.py::test_who_is_in_several_teams_names_one",
    "GET /v1/auth/whoami": "test_sign_in.py::test_nobody_is_refused",
    "POST /v1/auth/logout": "test_sign_in.py::test_a_key_cannot_log_out",
    "GET /v1/teams": "test_teams.py::test_nobody_has_teams",
    "GET /v1/projects": "test_projects.py::test_a_list_of_a_team_that_one_is_not_in_is_refused",
    "POST /v1/projects": "test_projects.py::test_a_wrong_body_is_refused_by_name",
    "GET /v1/projects/{project_id}": "test_projects.py::test_unknown_foreign_malformed_and_deleted_projects_are_the_same_404",
    "PATCH /v1/projects/{project_id}": "test_projects.py::test_a_wrong_change_is_refused_by_name",
    "DELETE /v1/projects/{project_id}": "test_projects.py::test_unknown_foreign_malformed_and_deleted_projects_are_the_same_404",
    "GET /v1/projects/{project_id}/schedules": "test_schedules.py::test_unknown_foreign_and_deleted_schedules_are_the_same_404",
    "POST /v1/projects/{project_id}/schedules": "test_schedules.py::test_what_is_wrong_is_refused_when_it_is_saved",
    "GET /v1/projects/{project_id}/schedules/{schedule_id}": (
        "test_schedules.py::test_unknown_foreign_and_deleted_schedules_are_the_same_404"
    ),
    "PATCH /v1/projects/{project_id}/schedules/{schedule_id}": (
        "test_schedules.py::test_a_wrong_change_is_refused_and_changes_nothing"
    ),
    "DELETE /v1/projects/{project_id}/schedules/{schedule_id}": (
        "test_schedules.py::test_unknown_foreign_and_deleted_schedules_are_the_same_404"
    ),
    "POST /v1/projects/{project_id}/schedules/{schedule_id}/run": (
        "test_schedules.py::test_run_now_is_refused_while_a_run_is_active"
    ),
    "GET /v1/projects/{project_id}/integrations/providers": (
        "test_integrations.py::test_a_project_of_another_team_is_an_unknown_one"
    ),
    "GET /v1/projects/{project_id}/integrations": "test_integrations.py::test_a_project_of_another_team_is_an_unknown_one",
    "POST /v1/projects/{project_id}/integrations": "test_integrations.py::test_a_wrong_body_is_refused_by_name",
    "PATCH /v1/projects/{project_id}/integrations/{provider}": "test_integrations.py::test_a_wrong_change_is_refused_by_name",
    "DELETE /v1/projects/{project_id}/integrations/{provider}": "test_integrations.py::test_what_is_not_connected_is_a_404",
    "POST /v1/projects/{project_id}/integrations/copy-from/{source_project_id}": (
        "test_integrations.py::test_a_copy_needs_two_projects_of_one_team"
    ),
    "GET /v1/projects/{project_id}/integrations/{provider}/webhook-setup": (
        "test_integrations.py::test_what_is_not_connected_is_a_404"
    ),
    "POST /v1/projects/{project_id}/integrations/revenuecat/sync": "test_revenuecat.py::test_what_is_not_connected_is_a_404",
    "POST /v1/projects/{project_id}/integrations/revenuecat/sync/{app_user_id}": (
        "test_revenuecat.py::test_a_user_who_cannot_be_synced"
    ),
    "POST /v1/projects/{project_id}/integrations/revenuecat/test": "test_revenuecat.py::test_a_key_that_may_not_do_everything",
    "GET /v1/projects/{project_id}/subscribers": "test_revenuecat.py::test_a_wrong_parameter_is_refused_by_name",
    "POST /v1/webhooks/revenuecat/{project_id}": "test_revenuecat.py::test_whoever_does_not_know_the_secret_is_refused",
    "GET /v1/teams/{team_id}/keys": "test_keys.py::test_a_key_cannot_look_at_keys",
    "POST /v1/teams/{team_id}/keys": "test_keys.py::test_a_wrong_body_is_refused_by_name",
    "DELETE /v1/teams/{team_id}/keys/{key_id}": "test_keys.py::test_unknown_foreign_and_malformed_keys_are_the_same_404",
    "GET /v1/teams/{team_id}/members": "test_members.py::test_a_key_cannot_look_at_members",
    "PATCH /v1/teams/{team_id}/members/{user_id}": "test_members.py::test_a_wrong_role_is_refused_by_name",
    "DELETE /v1/teams/{team_id}/members/{user_id}": "test_members.py::test_the_last_owner_stays",
    "GET /v1/teams/{team_id}/invitations": "test_invitations.py::test_a_key_has_nothing_to_do_with_invitations",
    "POST /v1/teams/{team_id}/invitations": "test_invitations.py::test_a_wrong_body_is_refused_by_name",
    "DELETE /v1/teams/{team_id}/invitations/{invitation_id}": (
        "test_invitations.py::test_unknown_foreign_and_used_invitations_are_the_same_404"
    ),
    "GET /v1/invitations": "test_invitations.py::test_a_key_has_nothing_to_do_with_invitations",
    "POST /v1/invitations/{invitation_id}/accept": (
        "test_invitations.py::test_unknown_foreign_and_used_invitations_are_the_same_404"
    ),
    "GET /v1/teams/{team_id}/preferences": "test_preferences.py::test_a_key_has_no_preferences",
    "PATCH /v1/teams/{team_id}/preferences": "test_preferences.py::test_a_wrong_body_is_refused_by_name",
    "GET /v1/teams/{team_id}/webhooks": "test_webhooks.py::test_members_and_keys_have_nothing_to_do_with_webhooks",
    "POST /v1/teams/{team_id}/webhooks": "test_webhooks.py::test_a_wrong_body_is_refused_by_name",
    "GET /v1/teams/{team_id}/webhooks/{webhook_id}": (
        "test_webhooks.py::test_unknown_foreign_and_malformed_webhooks_are_the_same_404"
    ),
    "PATCH /v1/teams/{team_id}/webhooks/{webhook_id}": "test_webhooks.py::test_a_wrong_change_is_refused_by_name",
    "POST /v1/teams/{team_id}/webhooks/{webhook_id}/rotate-secret": "test_webhooks.py::test_a_wrong_overlap_is_refused",
    "DELETE /v1/teams/{team_id}/webhooks/{webhook_id}": (
        "test_webhooks.py::test_unknown_foreign_and_malformed_webhooks_are_the_same_404"
    ),
    "POST /v1/teams/{team_id}/webhooks/{webhook_id}/test": "test_webhooks.py::test_nothing_is_posted_to_a_disabled_webhook",
    "GET /v1/teams/{team_id}/webhooks/{webhook_id}/deliveries": "test_webhooks.py::test_a_wrong_page_is_refused_by_name",
    "GET /v1/teams/{team_id}/webhooks/{webhook_id}/deliveries/{delivery_id}": (
        "test_webhooks.py::test_unknown_and_foreign_deliveries_are_the_same_404"
    ),
    "POST /v1/teams/{team_id}/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver": (
        "test_webhooks.py::test_unknown_and_foreign_deliveries_are_the_same_404"
    ),
    "GET /v1/teams/{team_id}/audit-logs": "test_audit.py::test_a_wrong_parameter_is_refused_by_name",
    "GET /openapi.json": "test_errors.py::test_another_method_is_a_405_that_names_the_allowed_ones",
}
"""Every route, and a test in which it refuses something."""

MATRIX = Path(__file__).with_name("matrix.csv")

UNDOCUMENTED = {"GET /openapi.json"}


def app() -> FastAPI:
    return create_app(Tawny(), settings=Settings(), url="postgresql://nowhere", secret=b"x" * 32)


def served(routes: Iterable[BaseRoute]) -> Iterator[str]:
    for route in routes:
        if isinstance(route, Route):
            assert route.methods, f"{route.path} takes any method"
            yield from (f"{method} {route.path.replace(':path', '')}" for method in route.methods - {"HEAD"})
        else:
            yield from served(_inside(route))


def _inside(route: Any) -> list[BaseRoute]:
    """The routes of an included router."""
    assert hasattr(route, "original_router"), f"what is {route!r}?"
    routes: list[BaseRoute] = route.original_router.routes
    return routes


def documented(api: FastAPI) -> set[str]:
    return {f"{method.upper()} {path}" for path, item in openapi.describe(api)["paths"].items() for method in item}


def test_what_is_served_is_documented_and_the_other_way_round() -> None:
    api = app()
    assert set(served(api.routes)) == documented(api) | UNDOCUMENTED


def test_no_route_is_served_twice() -> None:
    routes = list(served(app().routes))
    assert len(routes) == len(set(routes))


def test_every_operation_has_a_row_in_the_matrix_and_the_other_way_round() -> None:
    with MATRIX.open() as lines:
        rows = [row["operation"].partition("?")[0] for row in csv.DictReader(lines)]
    assert set(rows) == documented(app())


def test_the_matrix_says_what_every_caller_gets() -> None:
    header, *rows = list(csv.reader(MATRIX.open()))
    assert len(rows) == len({row[0] for row in rows})
    for operation, *statuses in rows:
        assert len(statuses) == len(header) - 1, operation
        assert set(statuses) <= {"200", "201", "202", "401", "403", "404"}, operation


def test_every_route_has_a_test_of_how_it_refuses() -> None:
    assert set(served(app().routes)) == set(REFUSALS)
    for route, test in REFUSALS.items():
        file, name = test.split("::")
        assert re.search(rf"^async def {name}\b", (TESTS / file).read_text(), re.MULTILINE), f"{route}: there is no {test}"
