"""What a job type takes: the schema of its params, from the signature of its handler."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NoReturn
from uuid import UUID

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tawny.errors import InvalidRequest
from tawny.jobs.form import build_model, field_of, json_schema
from tawny.jobs.misfit import misfit, why
from tawny.jobs.signature import PROJECT_ID, Signature, read_signature
from tawny.jobs.text import clean_text

_MOST_PROBLEMS = 20
_NAME_LENGTH = 100


class ParamsSchema:
    """The params of one job type: checks and coerces what was sent, and shows itself as JSON schema for forms."""

    def __init__(self, fn: Callable[..., Any], signature: Signature) -> None:
        self._params = signature.params
        self._project_id = signature.project_id
        self._model = build_model(fn, signature)
        self._json_schema = json_schema(self._model)

    @classmethod
    def from_signature(cls, fn: Callable[..., Any]) -> ParamsSchema:
        """Make the schema from what follows `run` in the handler's signature; DefinitionError where that cannot be one."""
        return cls(fn, read_signature(fn))

    @property
    def names(self) -> tuple[str, ...]:
        """The declared parameters, in order, without `project_id`."""
        return tuple(param.name for param in self._params)

    @property
    def wants_project_id(self) -> bool:
        """Whether the handler declares `project_id`, which is the checked project's and never an ordinary parameter."""
        return self._project_id is not None

    def check(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the handler's keyword arguments: every declared param, coerced leniently (`"5"` is 5) or its default.

        `params` stays as it is. A `project_id` in it is handed on, as str or UUID, only to a handler that declares it. Raises
        InvalidRequest with code `invalid_params`, which names each wrong parameter and why, never its value.
        """
        given = {name: value for name, value in params.items() if name != PROJECT_ID}
        model = self._validated(given)
        checked = {param.name: getattr(model, field_of(index)) for index, param in enumerate(self._params)}
        return checked | (model.model_extra or {}) | self._project(params)

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema of the params object. The same dict each time: do not change it."""
        return self._json_schema

    def _validated(self, given: dict[str, Any]) -> BaseModel:
        if "run" in given:
            raise misfit({"run": "is unknown"})
        try:
            return self._model.model_validate(given)
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_input=False)
        except Exception as error:  # an author's validator may raise anything; that is no fault of the server
            raise InvalidRequest("The params cannot be checked by this job type's own rules.", code="invalid_params") from error
        parsed = dict(_parsed_texts(given, wrong))
        try:
            return self._model.model_validate(given | parsed)
        except ValidationError:
            raise misfit(self._problems(wrong)) from None

    def _problems(self, wrong: list[ErrorDetails]) -> dict[str, str]:
        problems: dict[str, str] = {}
        for detail in wrong[:_MOST_PROBLEMS]:
            name = clean_text(detail["loc"][0] if detail["loc"] else "params", _NAME_LENGTH)
            unknown = detail["type"] == "extra_forbidden" and len(detail["loc"]) == 1
            problems.setdefault(name, self._unknown(name) if unknown else why(detail))
        return problems

    def _unknown(self, name: str) -> str:
        nearest = get_close_matches(name, self.names, n=1)
        if nearest:
            return f"is unknown; did you mean `{nearest[0]}`?"
        known = ", ".join(f"`{known}`" for known in self.names) or "none"
        return f"is unknown; this job type takes {known}"

    def _project(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if self._project_id is None or PROJECT_ID not in params:
            return {}
        try:
            return {PROJECT_ID: self._project_id(str(UUID(str(params[PROJECT_ID]))))}
        except ValueError:
            raise misfit({PROJECT_ID: "should be a valid UUID"}) from None


def _parsed_texts(given: Mapping[str, Any], wrong: list[ErrorDetails]) -> Iterator[tuple[str, Any]]:
    """Lists and objects sent as JSON text: command lines send nothing but text."""
    for name in {detail["loc"][0] for detail in wrong if detail["loc"]}:
        value = given.get(str(name))
        if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
            try:
                yield str(name), json.loads(value, parse_constant=_no_constant)
            except (ValueError, RecursionError):
                continue


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
