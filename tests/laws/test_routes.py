"""Laws about the web door: what is served is documented, and every route has a test of how it says no."""

from __future__ import annotations

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
    "GET /v1/jobs/{run_id}": "test_view.py::test_unknown_foreign_malformed_and_system_runs_are_the_same_404",
    "GET /v1/teams/{team_id}/jobs": "test_list.py::test_a_limit_out_of_bounds_is_refused_naming_them",
    "POST /v1/teams/{team_id}/jobs/trigger": "test_trigger.py::test_a_wrong_body_is_refused_by_name",
    "POST /v1/jobs/{run_id}/cancel": "test_cancel.py::test_unknown_foreign_malformed_and_system_runs_are_the_same_404",
    "GET /v1/jobs/{run_id}/timeline": "test_timeline.py::test_unknown_foreign_malformed_and_system_runs_are_the_same_404",
    "POST /v1/jobs/{run_id}/retry": "test_retry.py::test_unknown_foreign_malformed_and_system_runs_are_the_same_404",
    "GET /v1/jobs/{run_id}/logs": "test_logs.py::test_a_wrong_parameter_is_refused_by_name",
    "GET /v1/teams/{team_id}/jobs/stats": "test_stats.py::test_a_wrong_parameter_is_refused_by_name",
    "POST /v1/teams/{team_id}/jobs/bulk": "test_bulk.py::test_a_wrong_body_is_refused_by_name",
    "GET /v1/job-types": "test_job_types.py::test_job_types_are_refused_to_who_is_in_no_team",
    "GET /healthz": "test_errors.py::test_another_method_is_a_405_that_names_the_allowed_ones",
    "GET /readyz": "test_health.py::test_without_a_database_the_process_is_up_but_not_ready",
    "GET /metrics": "test_metrics.py::test_without_a_database_there_are_none",
    "GET /openapi.json": "test_errors.py::test_another_method_is_a_405_that_names_the_allowed_ones",
}
"""Every route, and a test in which it refuses something."""

UNDOCUMENTED = {"GET /openapi.json"}


def app() -> FastAPI:
    return create_app(Tawny(), settings=Settings(), url="postgresql://nowhere", secret=b"x" * 32)


def served(routes: Iterable[BaseRoute]) -> Iterator[str]:
    for route in routes:
        if isinstance(route, Route):
            assert route.methods, f"{route.path} takes any method"
            yield from (f"{method} {route.path}" for method in route.methods - {"HEAD"})
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


def test_every_route_has_a_test_of_how_it_refuses() -> None:
    assert set(served(app().routes)) == set(REFUSALS)
    for route, test in REFUSALS.items():
        file, name = test.split("::")
        assert re.search(rf"^async def {name}\b", (TESTS / file).read_text(), re.MULTILINE), f"{route}: there is no {test}"
