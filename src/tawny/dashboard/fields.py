"""A job type's params as the fields of a form, and what was typed as params again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from tawny.dashboard.secrets import is_secret, shown
from tawny.jobs import Job
from tawny.jobs.signature import PROJECT_ID

Kind = Literal["text", "long", "integer", "number", "boolean", "choice", "json", "secret", "date", "time"]

REST: Final = "rest"
"""The field for params that a job takes beyond those it names. No param's field is called so: theirs have a prefix."""

PREFIX: Final = "param."

_LONG: Final = 120
_FORMATS: Final[Mapping[str, Kind]] = {"date": "date", "time": "time", "password": "secret"}
_LIMITS: Final = {"minimum": "min", "maximum": "max", "minLength": "minlength", "maxLength": "maxlength"}


@dataclass(frozen=True, slots=True)
class Field:
    """One param: how it is asked for. `value` is what stands in the field; a secret never does."""

    name: str
    kind: Kind
    label: str
    hint: str
    required: bool
    default: Any
    options: tuple[str, ...]
    limits: Mapping[str, Any]
    value: str


def fields_of(job: Job, given: Mapping[str, Any]) -> list[Field]:
    """The form of a job type, with the values that are given."""
    schema = job.params.json_schema()
    required = frozenset(schema.get("required", ()))
    return [
        _field(name, _resolved(part, schema), name in required, shown(given).get(name))
        for name, part in schema.get("properties", {}).items()
        if name != PROJECT_ID
    ]


def takes_more(job: Job) -> bool:
    """Whether it takes params that it does not name."""
    return job.params.json_schema().get("additionalProperties") is not False


def rest_of(job: Job, given: Mapping[str, Any]) -> str:
    """What is given beyond the named params, as the text of its field."""
    named = {*job.params.names, PROJECT_ID}
    rest = {name: value for name, value in shown(given).items() if name not in named}
    return json.dumps(rest, indent=2, ensure_ascii=False) if rest else ""


def typed(job: Job, sent: Mapping[str, str], rest: str) -> dict[str, Any]:
    """The params that were typed. What is empty is left out; what does not fit its type stays text, for the verb to refuse."""
    return dict(_typed(job, sent)) | _rest(rest)


def _typed(job: Job, sent: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for field in fields_of(job, {}):
        text = sent.get(field.name, "")
        if field.kind == "boolean":
            yield field.name, text == "true"
        elif text.strip():
            yield field.name, _value(field.kind, text)


def _value(kind: Kind, text: str) -> Any:
    if kind in ("integer", "number", "json"):
        try:
            return json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return text
    return text


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _rest(text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    value = _value("json", text)
    return value if isinstance(value, dict) else {"more_params": text}


def _resolved(part: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The part of the schema without references, and of `x or null` only x."""
    outer = {name: value for name, value in part.items() if name not in ("anyOf", "$ref", "allOf")}
    options = [option for option in part.get("anyOf", ()) if option.get("type") != "null"]
    inner = options[0] if len(options) == 1 else {"type": "any"} if options else next(iter(part.get("allOf", ())), part)
    reference = inner.get("$ref", "").removeprefix("#/$defs/")
    found: Mapping[str, Any] = schema.get("$defs", {}).get(reference, inner)
    return {**found, **outer}


def _field(name: str, part: Mapping[str, Any], required: bool, given: Any) -> Field:
    kind = _kind(name, part)
    default = part.get("default")
    return Field(
        name=name,
        kind=kind,
        label=str(part.get("title", name)),
        hint=str(part.get("description", "")),
        required=required,
        default=default,
        options=tuple(str(option) for option in part.get("enum", ())),
        limits={attribute: part[said] for said, attribute in _LIMITS.items() if said in part} if kind != "json" else {},
        value="" if kind == "secret" else _text(default if kind == "boolean" and given is None else given),
    )


def _kind(name: str, part: Mapping[str, Any]) -> Kind:
    of = part.get("type")
    if is_secret(name, part) and of in ("string", None):
        return "secret"
    if "enum" in part and all(isinstance(option, str) for option in part["enum"]):
        return "choice"
    if of in ("integer", "number", "boolean"):
        return of  # type: ignore[no-any-return]
    if of == "string":
        return _FORMATS.get(part.get("format", ""), "long" if part.get("maxLength", 0) > _LONG else "text")
    return "json"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
