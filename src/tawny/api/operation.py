"""Plain routes that carry their own documentation: the endpoint, and what the OpenAPI document says about it, in one place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from inspect import Parameter, Signature
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Path, Query
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.routing import Route

from tawny.api.call import Endpoint, plain_route
from tawny.api.envelope import Error, Strict

BODY: Final = (400, 408, 413, 415)
"""What may be wrong with a body."""

_PATH: Final = re.compile(r"{(\w+)(:path)?}")
_MEANINGS: Final = {
    400: "The request is wrong; the sentence says how.",
    401: "No credential, or none that is valid.",
    403: "A valid credential that may not do this.",
    404: "It does not exist, or not for this caller.",
    408: "The body came too slowly.",
    409: "It collides with what is there.",
    413: "The body is larger than 1 MiB.",
    415: "The body is not plain JSON.",
    429: "Too often; try again after `Retry-After` seconds.",
    502: "Another service did not answer as it should; the sentence says how.",
    503: "The database cannot be reached just now; try again after `Retry-After` seconds.",
}


class Operation:
    """A route, and its entry in the OpenAPI document."""

    def __init__(self, route: Route, documentation: APIRoute) -> None:
        self.route = route
        self.documentation = documentation


def operation(
    method: str,
    path: str,
    *,
    tag: str,
    answer: type[BaseModel],
    status: int = 200,
    also: dict[int, type[BaseModel]] | None = None,
    body: type[Strict] | None = None,
    query: type[BaseModel] | None = None,
    refuses: Sequence[int] = (),
    public: bool = False,
) -> Callable[[Endpoint], Operation]:
    """Make an endpoint an operation. Its docstring is what the document says; `refuses` are statuses besides 401 and 503.

    `also` are further statuses that are no errors, `query` is a model whose fields are the parameters of the address. A `public`
    operation takes no credential.
    """

    def documented(endpoint: Endpoint) -> Operation:
        refused = {401, 503, *refuses, *(BODY if body else ())}
        return Operation(
            plain_route(method, path, endpoint),
            APIRoute(
                path.replace(":path", ""),
                _signed(endpoint, path, body, query),
                methods=[method],
                name=endpoint.__name__,
                operation_id=endpoint.__name__,
                tags=[tag],
                response_model=answer,
                status_code=status,
                openapi_extra={"security": []} if public else None,
                responses={code: {"model": model} for code, model in (also or {}).items()}
                | {code: {"model": Error, "description": _MEANINGS[code]} for code in sorted(refused)},
            ),
        )

    return documented


def routes_of(operations: Iterable[Operation]) -> list[Route]:
    """What is served."""
    return [operation.route for operation in operations]


def documentation_of(operations: Iterable[Operation]) -> list[APIRoute]:
    """What is documented."""
    return [operation.documentation for operation in operations]


def _signed(endpoint: Any, path: str, body: type[Strict] | None, query: type[BaseModel] | None) -> Any:
    """A function with the endpoint's docstring and the signature that FastAPI reads parameters from."""

    def described() -> None: ...

    parameters = [_parameter(name, Annotated[str if rest else _type_of(name), Path()]) for name, rest in _PATH.findall(path)]
    if query is not None:
        parameters.append(_parameter("query", Annotated[query, Query()]))
    if body is not None:
        parameters.append(_parameter("body", body))
    described.__doc__ = endpoint.__doc__
    described.__name__ = endpoint.__name__
    described.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return described


def _type_of(name: str) -> Any:
    return UUID if name.endswith("_id") else str


def _parameter(name: str, annotation: Any) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation)
