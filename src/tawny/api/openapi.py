"""The OpenAPI document: FastAPI's own routes, and the plain ones from signatures that are written for it only."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import FastAPI, Header, Path, Query
from fastapi.openapi.utils import get_openapi
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute

from tawny.api.bulk_envelope import BulkAnswer, BulkBody, Matched
from tawny.api.envelope import (
    ActiveRunError,
    CancelBody,
    Cancelled,
    Error,
    Granted,
    JobRunAnswer,
    JobRunPage,
    RetryBody,
    TriggerBody,
)
from tawny.api.history_envelope import Level, LogsAnswer, StatsAnswer, TimelineAnswer
from tawny.api.history_query import LINES_DEFAULT, LINES_MAX, SEQ_MAX
from tawny.api.idempotency import KEY
from tawny.api.operation import documentation_of
from tawny.api.operations import OPERATIONS
from tawny.api.parameters import FINGERPRINT, JOB_TYPE, LIMIT_DEFAULT, LIMIT_MAX, TEXT_LIMIT
from tawny.runs import Status

TITLE: Final = "Tawny"
DESCRIPTION: Final = "Background jobs your users can see: trigger, list, view and cancel runs."

_SECURITY: Final = {
    "apiKeyOrToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "An agent key (`tawny_…`) or the token of a signed-in user.",
    }
}
_MEANINGS: Final = {
    400: "The request is wrong; the sentence says how.",
    401: "No credential, or none that is valid.",
    403: "A valid credential that may not do this.",
    404: "It does not exist, or not for this caller.",
    408: "The body came too slowly.",
    409: "Such a run is pending or running already.",
    413: "The body is larger than 1 MiB.",
    415: "The body is not plain JSON.",
    422: "The `Idempotency-Key` came with another request before.",
    429: "Too often; try again after `Retry-After` seconds.",
    502: "Another service did not answer as it should; the sentence says how.",
    503: "The database cannot be reached just now; try again after `Retry-After` seconds.",
}
_BODY: Final = (408, 413, 415)

TeamId = Annotated[UUID, Path(description="The team.")]
RunId = Annotated[UUID, Path(description="The run.")]
JobTypeName = Annotated[str | None, Query(pattern=f"^{JOB_TYPE.pattern}$", description="Only runs of this type.")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=f"^{KEY.pattern}$",
        description="Requests of a team with the same key make one run, and get the same answer for 24 hours. A repeated answer "
        "has the header `Idempotency-Replayed: true`.",
    ),
]
Moment = Annotated[
    str | None,
    Query(
        description="`30s`, `15m`, `1h`, `7d`, `2w` before now, or ISO 8601; UTC unless it names a zone. Inclusive.",
        examples=["7d", "2024-02-29T12:00:00Z"],
    ),
]


def _view(run_id: RunId) -> None:
    """View a run. Needs a key with `jobs:read`, or a member of its team."""


def _list(
    team_id: TeamId,
    job_type: JobTypeName = None,
    status: Annotated[Status | None, Query(description="Only runs in this status.")] = None,
    project_id: Annotated[UUID | None, Query(description="Only runs for this project.")] = None,
    since: Moment = None,
    until: Moment = None,
    fingerprint: Annotated[
        str | None, Query(pattern=f"^{FINGERPRINT.pattern}$", description="Only runs that failed so: see the errors of a team.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many runs a page has at most.")] = LIMIT_DEFAULT,
    cursor: Annotated[str | None, Query(description="The `cursor` of the page before.")] = None,
    search: Annotated[str | None, Query(max_length=TEXT_LIMIT, description="Only runs whose params have this text.")] = None,
) -> None:
    """List a team's runs, newest first. Needs a key with `jobs:read`, or the role admin or owner.

    A page of a `search` looks at 10,000 runs at most. So it may be short, or empty, though `has_more` says that there are older
    ones: with its `cursor` one looks on.
    """


def _trigger(team_id: TeamId, body: TriggerBody, idempotency_key: IdempotencyKey = None) -> None:
    """Ask for a run. Needs a key with `jobs:write`, or the role admin or owner.

    At most one run of a type is pending or running for a project: another one is a 409 that names it. When an answer was lost,
    send the same again with the same `Idempotency-Key`: it makes no second run.
    """


def _cancel(run_id: RunId, body: CancelBody | None = None) -> None:
    """Ask a running run to stop. Needs a key with `jobs:write`, or a member of its team.

    The run becomes `cancelled` when its handler stops. Asking again before that is granted again. A pending run is refused;
    with `include_pending` it becomes `cancelled` at once.
    """


def _timeline_of(run_id: RunId) -> None:
    """See what happened to a run: its attempts and its events. Needs a key with `jobs:read`, or a member of its team."""


def _retry(run_id: RunId, body: RetryBody | None = None, idempotency_key: IdempotencyKey = None) -> None:
    """Ask for what an ended run did once more, as a new run. Needs a key with `jobs:write`, or the role admin or owner.

    The new run has the same job type, project, params and `notify`. While such a run is active, it is a 409 that names it.
    """


def _logs_of(
    run_id: RunId,
    after: Annotated[int, Query(ge=0, le=SEQ_MAX, description="Only lines behind this `seq`.")] = 0,
    before: Annotated[
        int | None, Query(ge=1, le=SEQ_MAX, description="Instead of `after`: the last lines before this `seq`.")
    ] = None,
    search: Annotated[str | None, Query(max_length=TEXT_LIMIT, description="Only lines whose message has this text.")] = None,
    level: Annotated[Level, Query(description="Only lines of at least this level.")] = "debug",
    limit: Annotated[int, Query(ge=1, le=LINES_MAX, description="How many lines at most.")] = LINES_DEFAULT,
) -> None:
    """Read the log of a run. Needs a key with `jobs:read`, or a member of its team."""


def _stats_of(
    team_id: TeamId,
    project_id: Annotated[UUID | None, Query(description="Only runs for this project.")] = None,
    job_type: JobTypeName = None,
) -> None:
    """See how a team's runs are doing. Needs a key with `jobs:read`, or the role admin or owner.

    What it costs the server does not grow with the number of runs: counts stop at a cap, and say so.
    """


def _bulk(team_id: TeamId, body: BulkBody) -> None:
    """Retry or cancel all runs that match a filter. Needs a key with `jobs:write`, or the role admin or owner.

    They are counted first, and may be 10,000 at most; with `dry_run` that is all. Otherwise a run of its own goes through them,
    which shows progress and can be cancelled, like any run. Of each action one at a time may be under way in a team.
    """


_STREAM: Final = {
    200: {"description": "Events, as they happen.", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
}
After = Annotated[
    str | None,
    Query(
        description="The id of an event: what came behind it is sent first. The header `Last-Event-ID` says the same, and wins."
    ),
]


def _run_events(run_id: RunId, after: After = None) -> None:
    """Listen to a run: its events and its progress, until it has ended. Needs a key with `jobs:read`, or a member of its team.

    Server-sent events. Each fact has an id and comes once and in order; `progress` has none, and says how far the run is. The
    first message, `open`, has the id from which on nothing is missed. After a run has ended, who has its last event gets a 204.
    """


def _team_events(team_id: TeamId, after: After = None) -> None:
    """Listen to a team's runs: their events and their progress. Needs a key with `jobs:read`, or the role admin or owner.

    Server-sent events, as of a single run. They come in the order in which their transactions began; a run's own are numbered by
    `seq`. A listener that is too slow is dropped, and goes on from its last id.
    """


def _described(method: str, path: str, signature: Any, *, about: str = "run", **answers: Any) -> APIRoute:
    name = signature.__name__.lstrip("_")
    return APIRoute(path, signature, methods=[method], name=name, operation_id=f"{name}_{about}", tags=["Runs"], **answers)


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The part of a route's documentation that says with which errors it may answer."""
    return {
        status: {"model": ActiveRunError if status == 409 else Error, "description": _MEANINGS[status]} for status in statuses
    }


_PLAIN: Final = (
    _described("GET", "/v1/jobs/{run_id}", _view, response_model=JobRunAnswer, responses=refusals(401, 403, 404, 503)),
    _described("GET", "/v1/teams/{team_id}/jobs", _list, response_model=JobRunPage, responses=refusals(400, 401, 403, 503)),
    _described(
        "POST",
        "/v1/teams/{team_id}/jobs/trigger",
        _trigger,
        response_model=JobRunAnswer,
        status_code=201,
        responses={200: {"model": Granted, "description": "With `dry_run`: it would be granted."}}
        | refusals(400, 401, 403, 404, 409, 422, 429, 503, *_BODY),
    ),
    _described(
        "POST",
        "/v1/jobs/{run_id}/cancel",
        _cancel,
        response_model=Cancelled,
        responses=refusals(400, 401, 403, 404, 503, *_BODY),
    ),
    _described(
        "GET",
        "/v1/jobs/{run_id}/timeline",
        _timeline_of,
        response_model=TimelineAnswer,
        responses=refusals(401, 403, 404, 503),
    ),
    _described(
        "POST",
        "/v1/jobs/{run_id}/retry",
        _retry,
        response_model=JobRunAnswer,
        status_code=201,
        responses=refusals(400, 401, 403, 404, 409, 422, 429, 503, *_BODY),
    ),
    _described(
        "GET",
        "/v1/jobs/{run_id}/events",
        _run_events,
        about="stream",
        response_class=StreamingResponse,
        responses=_STREAM | {204: {"description": "It has ended, and nothing was missed."}} | refusals(400, 401, 403, 404, 503),
    ),
    _described(
        "GET",
        "/v1/teams/{team_id}/jobs/events",
        _team_events,
        about="stream",
        response_class=StreamingResponse,
        responses=_STREAM | refusals(400, 401, 403, 503),
    ),
    _described("GET", "/v1/jobs/{run_id}/logs", _logs_of, response_model=LogsAnswer, responses=refusals(400, 401, 403, 404, 503)),
    _described(
        "GET",
        "/v1/teams/{team_id}/jobs/stats",
        _stats_of,
        about="team",
        response_model=StatsAnswer,
        responses=refusals(400, 401, 403, 503),
    ),
    _described(
        "POST",
        "/v1/teams/{team_id}/jobs/bulk",
        _bulk,
        about="team",
        response_model=BulkAnswer,
        status_code=202,
        responses={200: {"model": Matched, "description": "With `dry_run`: only counted."}}
        | refusals(400, 401, 403, 409, 503, *_BODY),
    ),
)


def describe(app: FastAPI, root: str = "") -> dict[str, Any]:
    """Return the document for all routes of the app, which is mounted at the path `root`."""
    document = get_openapi(
        title=TITLE,
        version=app.version,
        description=DESCRIPTION,
        routes=[*_PLAIN, *documentation_of(OPERATIONS), *app.routes],
        servers=[{"url": root}] if root else None,
        separate_input_output_schemas=False,
    )
    document["components"]["securitySchemes"] = _SECURITY
    document["security"] = [{"apiKeyOrToken": []}]
    _drop_foreign_refusals(document)
    return document


def _drop_foreign_refusals(document: dict[str, Any]) -> None:
    """FastAPI adds its own 422 to whatever takes a parameter and describes none. Ours is a 400 in our own shape."""
    for operations in document["paths"].values():
        for operation in operations.values():
            if operation["responses"].get("422", {}).get("description") != _MEANINGS[422]:
                operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
