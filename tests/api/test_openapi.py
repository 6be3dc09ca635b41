"""The OpenAPI document says what is there, and what is there answers as it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from pydantic import TypeAdapter

from api.world import World
from tawny.api.bulk_envelope import BulkAnswer, Matched
from tawny.api.envelope import ActiveRunError, Cancelled, Error, JobRun, JobRunAnswer, JobRunPage
from tawny.api.health import Health
from tawny.api.history_envelope import LogsAnswer, StatsAnswer, TimelineAnswer
from tawny.api.job_types import JobTypes
from tawny.runs import FIELDS, STATUSES

METHODS = {"get", "post", "put", "patch", "delete"}


OPEN = {"/healthz", "/readyz", "/metrics", "/v1/auth/send-code", "/v1/auth/verify-code", "/v1/auth/agent-login"} | {
    "/v1/webhooks/revenuecat/{project_id}"  # which asks for a secret of its own
}


async def document(world: World) -> dict[str, Any]:
    answer = await world.send("GET", "/openapi.json", as_=None)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in described["paths"].items():
        for method in METHODS & item.keys():
            yield path, method, item[method]


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inside in value.values():
            yield from strings(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from strings(inside)
    elif isinstance(value, str):
        yield value


async def test_every_reference_leads_somewhere_and_nothing_is_left_over(world: World) -> None:
    described = await document(world)
    prefix = "#/components/schemas/"
    used = {text.removeprefix(prefix) for text in strings(described) if text.startswith(prefix)}
    assert used == set(described["components"]["schemas"])


async def test_every_operation_is_explained_and_named_once(world: World) -> None:
    found = list(operations(await document(world)))
    assert all(operation["description"] for _, _, operation in found)
    ids = [operation["operationId"] for _, _, operation in found]
    assert len(ids) == len(set(ids))


async def test_every_operation_needs_a_credential_unless_it_says_that_it_is_open(world: World) -> None:
    described = await document(world)
    assert described["security"] == [{"apiKeyOrToken": []}]
    for path, method, operation in operations(described):
        opened = operation.get("security") == []
        answer = await world.http.request(method, re.sub(r"{\w+}", str(uuid4()), path))
        assert (answer.status_code == 401) is not opened, path
        assert opened or "401" in operation["responses"], path
    assert {path for path, _, operation in operations(described) if operation.get("security") == []} == OPEN


async def test_no_answer_that_the_api_never_gives_is_described(world: World) -> None:
    refusing = {path for path, _, operation in operations(await document(world)) if "422" in operation["responses"]}
    assert refusing == {"/v1/teams/{team_id}/jobs/trigger", "/v1/jobs/{run_id}/retry"}


async def test_a_run_has_the_same_fields_everywhere(world: World) -> None:
    schema = (await document(world))["components"]["schemas"]["JobRun"]
    assert tuple(schema["properties"]) == tuple(schema["required"]) == tuple(JobRun.model_fields) == FIELDS
    assert tuple(schema["properties"]["status"]["enum"]) == STATUSES


async def test_a_trigger_takes_nothing_else(world: World) -> None:
    schema = (await document(world))["components"]["schemas"]["TriggerBody"]
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["job_type"]
    assert set(schema["properties"]) == {"job_type", "project_id", "params", "notify", "dry_run"}


async def test_what_the_api_answers_fits_what_is_described(world: World) -> None:
    _, claimed = await world.running(params={"month": "2026-02"})
    await world.finish(
        claimed, "failed", error="broke", result='{"a": 1}', progress='{"processed": 1, "total": 2, "message": "x"}'
    )
    made = await world.trigger()
    _, other = await world.running(job_type="import")
    answers: list[tuple[Any, Any]] = [
        (JobRunAnswer, await world.view(claimed.id)),
        (JobRunAnswer, made),
        (JobRunPage, await world.list(limit=1)),
        (JobRunPage, await world.list()),
        (TimelineAnswer, await world.timeline(claimed.id)),
        (LogsAnswer, await world.logs(claimed.id)),
        (StatsAnswer, await world.stats()),
        (Cancelled, await world.cancel(other.id)),
        (JobRunAnswer, await world.retry(await world.ended(project_id=str(await world.add_project())))),
        (ActiveRunError, await world.trigger()),
        (Matched, await world.bulk(dry_run=True)),
        (BulkAnswer, await world.bulk()),
        (ActiveRunError, await world.bulk()),
        (Error, await world.view(uuid4())),
        (JobTypes, await world.send("GET", "/v1/job-types")),
        (Health, await world.send("GET", "/healthz")),
        (Health, await world.send("GET", "/readyz")),
    ]
    for model, answer in answers:
        TypeAdapter(model).validate_json(answer.content, strict=True)


@pytest.mark.parametrize("name", ["limit", "status", "job_type", "project_id", "since", "until", "cursor"])
async def test_every_parameter_of_a_list_is_described_and_read(world: World, name: str) -> None:
    parameters = (await document(world))["paths"]["/v1/teams/{team_id}/jobs"]["get"]["parameters"]
    assert name in {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
    assert (await world.list(**{name: ""})).status_code == 400


async def test_no_parameter_of_a_list_is_described_that_is_not_read(world: World) -> None:
    from tawny.api.query import KNOWN

    parameters = (await document(world))["paths"]["/v1/teams/{team_id}/jobs"]["get"]["parameters"]
    assert {parameter["name"] for parameter in parameters if parameter["in"] == "query"} == KNOWN


async def test_the_described_answers_of_the_job_endpoints_are_those_they_give(world: World) -> None:
    described = {(path, method): operation for path, method, operation in operations(await document(world))}
    given = {
        ("/v1/jobs/{run_id}", "get"): {200, 401, 403, 404, 503},
        ("/v1/jobs/{run_id}/timeline", "get"): {200, 401, 403, 404, 503},
        ("/v1/jobs/{run_id}/logs", "get"): {200, 400, 401, 403, 404, 503},
        ("/v1/teams/{team_id}/jobs/stats", "get"): {200, 400, 401, 403, 503},
        ("/v1/teams/{team_id}/jobs", "get"): {200, 400, 401, 403, 503},
        ("/v1/teams/{team_id}/jobs/trigger", "post"): {200, 201, 400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 503},
        ("/v1/jobs/{run_id}/cancel", "post"): {200, 400, 401, 403, 404, 408, 413, 415, 503},
        ("/v1/teams/{team_id}/jobs/bulk", "post"): {200, 202, 400, 401, 403, 408, 409, 413, 415, 503},
        ("/v1/jobs/{run_id}/retry", "post"): {201, 400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 503},
    }
    for operation, statuses in given.items():
        assert {int(status) for status in described[operation]["responses"]} == statuses
