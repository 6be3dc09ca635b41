"""What follows `run` in a handler's signature is what a run may be given."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import decimal
import enum
import json
from collections.abc import Callable
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, field_validator

from tawny import Run
from tawny.errors import InvalidRequest
from tawny.jobs import ParamsSchema

PROJECT = "0190a6e0-0000-7000-8000-0000000000ab"


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Range(BaseModel):
    first: int
    last: int


class Careful(BaseModel):
    token: str

    @field_validator("token")
    @classmethod
    def _known(cls, token: str) -> str:
        return {"a": "known"}[token]


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0


def schema_of(annotation: Any) -> ParamsSchema:
    def handler(run, value): ...  # type: ignore[no-untyped-def]

    handler.__annotations__ = {"value": annotation}
    return ParamsSchema.from_signature(handler)


COERCED: list[tuple[Any, Any, Any]] = [
    (int, "5", 5),
    (int, 5, 5),
    (int, 5.0, 5),
    (int, str(2**63), 2**63),
    (float, "2.5", 2.5),
    (float, 2, 2.0),
    (bool, "true", True),
    (bool, "1", True),
    (bool, "false", False),
    (bool, 0, False),
    (str, "5", "5"),
    (dt.date, "2026-02-28", dt.date(2026, 2, 28)),
    (dt.datetime, "2026-02-28T10:00:00Z", dt.datetime(2026, 2, 28, 10, tzinfo=dt.UTC)),
    (dt.timedelta, "PT1H", dt.timedelta(hours=1)),
    (UUID, PROJECT, UUID(PROJECT)),
    (decimal.Decimal, "1.10", decimal.Decimal("1.10")),
    (Colour, "red", Colour.RED),
    (Literal["csv", "json"], "csv", "csv"),
    (list[str], ["a", "b"], ["a", "b"]),
    (list[int], ["1", 2], [1, 2]),
    (list[int], "[1, 2]", [1, 2]),
    (dict[str, int], '{"a": "1"}', {"a": 1}),
    (set[str], ["a", "a"], {"a"}),
    (tuple[int, str], [1, "a"], (1, "a")),
    (int | None, None, None),
    (int | None, "7", 7),
    (int | list[int], "[7]", [7]),
    (str | list[int], "[7]", "[7]"),
    (Range, {"first": "1", "last": 2}, Range(first=1, last=2)),
    (Range, '{"first": 1, "last": 2}', Range(first=1, last=2)),
    (Point, {"x": "1"}, Point(1.0)),
    (Annotated[int, Field(ge=0, le=10)], "10", 10),
    (Any, {"any": ["thing", None]}, {"any": ["thing", None]}),
    (bytes, "é", "é".encode()),
]


@pytest.mark.parametrize(("annotation", "sent", "received"), COERCED, ids=lambda value: str(value)[:40])
def test_values_are_coerced_to_what_the_handler_declares(annotation: Any, sent: Any, received: Any) -> None:
    got = schema_of(annotation).check({"value": sent})["value"]
    assert got == received
    assert type(got) is type(received)


REFUSED: list[tuple[Any, Any, str]] = [
    (int, "five", "should be a valid integer"),
    (int, "5.5", "should be a valid integer"),
    (int, None, "should be a valid integer"),
    (int, [5], "should be a valid integer"),
    (int, "9" * 5000, "should be a smaller integer"),
    (float, "nan", "should be a finite number"),
    (float, "inf", "should be a finite number"),
    (bool, "maybe", "should be a valid boolean"),
    (str, 5, "should be a valid string"),
    (dt.date, "2026-02-30", "should be a valid date"),
    (UUID, "zzz", "should be a valid UUID"),
    (Colour, "green", "should be 'red' or 'blue'"),
    (Literal["csv", "json"], "xml", "should be 'csv' or 'json'"),
    (list[str], "a,b", "should be a valid list"),
    (list[str], "[1, NaN]", "should be a valid list"),
    (list[str], "[" * 100_000, "should be a valid list"),
    (list[int], [1, "x", 3], "should be a valid integer (in value.1)"),
    (Range, {"first": 1}, "is required (in value.last)"),
    (Annotated[int, Field(ge=0, le=10)], "11", "should be less than or equal to 10"),
]


@pytest.mark.parametrize(("annotation", "sent", "why"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_does_not_fit_is_refused_naming_the_parameter(annotation: Any, sent: Any, why: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        schema_of(annotation).check({"value": sent})
    assert refusal.value.status == 400
    assert refusal.value.code == "invalid_params"
    assert why in refusal.value.details["params"]["value"]
    assert refusal.value.message == f"The parameter `value` {refusal.value.details['params']['value']}."


@pytest.mark.parametrize("annotation", [int, float, bool, dt.date, dt.datetime, UUID, Colour, list[str], Range, decimal.Decimal])
def test_a_refusal_never_repeats_what_was_sent(annotation: Any) -> None:
    secret = "sk_live_VERYSECRET"
    with pytest.raises(InvalidRequest) as refusal:
        schema_of(annotation).check({"value": secret})
    assert secret not in refusal.value.message
    assert "VERY" not in json.dumps(refusal.value.details)


def test_an_unknown_tag_of_a_union_is_not_repeated() -> None:
    class Cat(BaseModel):
        kind: Literal["cat"]

    class Dog(BaseModel):
        kind: Literal["dog"]

    pet = Annotated[Cat | Dog, Field(discriminator="kind")]
    with pytest.raises(InvalidRequest, match="has an unknown tag; expected 'cat', 'dog'") as refusal:
        schema_of(pet).check({"value": {"kind": "sk_live_VERYSECRET"}})
    assert "VERYSECRET" not in refusal.value.message


def test_a_validator_of_the_author_that_breaks_is_a_refusal() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        schema_of(Careful).check({"value": {"token": "b"}})
    assert refusal.value.code == "invalid_params"
    assert schema_of(Careful).check({"value": {"token": "a"}}) == {"value": Careful.model_construct(token="known")}


def several(run: Run, month: str, count: int = 1, json: bool = False, _hidden: int = 0, model_config: str = "") -> None:
    """Several.

    Args:
        month: The month, as
            2026-02.
        count (int): How many.
    """


SEVERAL = ParamsSchema.from_signature(several)


def test_defaults_are_filled_in_and_any_name_may_be_a_parameter() -> None:
    assert SEVERAL.check({"month": "2026-02", "json": "yes"}) == {
        "month": "2026-02",
        "count": 1,
        "json": True,
        "_hidden": 0,
        "model_config": "",
    }


def test_the_names_are_in_order_without_run() -> None:
    assert SEVERAL.names == ("month", "count", "json", "_hidden", "model_config")


def test_a_missing_parameter_is_named() -> None:
    with pytest.raises(InvalidRequest, match=r"^The parameter `month` is required\.$"):
        SEVERAL.check({})


def test_every_wrong_parameter_is_named_at_once() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        SEVERAL.check({"count": "x", "json": 5})
    assert list(refusal.value.details["params"]) == ["month", "count", "json"]
    assert refusal.value.message.startswith("The parameter `month` is required; the parameter `count` should")


def test_an_unknown_parameter_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(InvalidRequest, match=r"^The parameter `mnth` is unknown; did you mean `month`\?$"):
        SEVERAL.check({"month": "2026-02", "mnth": "x"})


def test_an_unknown_parameter_is_refused_with_what_there_is() -> None:
    with pytest.raises(InvalidRequest, match="`zzz` is unknown; this job type takes `month`, `count`"):
        SEVERAL.check({"month": "2026-02", "zzz": "x"})
    with pytest.raises(InvalidRequest, match="takes none"):
        ParamsSchema.from_signature(lambda run: None).check({"a": 1})


def test_the_names_of_fields_are_no_back_door() -> None:
    with pytest.raises(InvalidRequest, match="`p0` is unknown"):
        SEVERAL.check({"month": "2026-02", "p0": "x"})


def test_a_hostile_name_is_cleaned_and_cut() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        SEVERAL.check({"month": "2026-02", "\x00\x1b[31m" + "x" * 100_000: 1})
    assert len(refusal.value.message) < 400
    assert "\x1b" not in refusal.value.message


@pytest.mark.parametrize("open_to", [lambda run, **params: None, lambda run, p0=1, **params: None])
def test_params_in_general_are_taken_by_a_handler_that_says_so(open_to: Callable[..., Any]) -> None:
    sent = {"__proto__": {"a": 1}, "$where": [1], "": None, "p1": 2, "self": 3}
    got = ParamsSchema.from_signature(open_to).check(sent)
    assert {name: got[name] for name in sent} == sent


def test_params_in_general_are_coerced_too() -> None:
    def handler(run: Run, **params: int) -> None: ...

    schema = ParamsSchema.from_signature(handler)
    assert schema.check({"a": "1", "b": 2}) == {"a": 1, "b": 2}
    with pytest.raises(InvalidRequest, match="`a` should be a valid integer"):
        schema.check({"a": "x"})


def test_run_is_never_a_parameter() -> None:
    with pytest.raises(InvalidRequest, match="`run` is unknown"):
        ParamsSchema.from_signature(lambda run, **params: None).check({"run": 1})


def wants_text(run: Run, project_id: str, month: str = "") -> None: ...


def wants_uuid(run: Run, project_id: UUID | None = None) -> None: ...


def test_the_project_is_handed_on_as_the_handler_declares_it() -> None:
    assert ParamsSchema.from_signature(wants_text).check({"project_id": PROJECT.upper()}) == {"project_id": PROJECT, "month": ""}
    assert ParamsSchema.from_signature(wants_uuid).check({"project_id": PROJECT}) == {"project_id": UUID(PROJECT)}
    assert ParamsSchema.from_signature(lambda run, project_id: None).check({"project_id": PROJECT}) == {"project_id": PROJECT}


def test_the_project_is_ignored_by_a_handler_that_does_not_declare_it() -> None:
    assert ParamsSchema.from_signature(lambda run: None).check({"project_id": PROJECT}) == {}
    assert ParamsSchema.from_signature(lambda run, **params: None).check({"project_id": PROJECT}) == {}


def test_the_project_is_not_an_ordinary_parameter() -> None:
    schema = ParamsSchema.from_signature(wants_text)
    assert schema.wants_project_id
    assert schema.names == ("month",)
    assert "project_id" not in json.dumps(schema.json_schema())
    with pytest.raises(InvalidRequest, match="`project_id` should be a valid UUID"):
        schema.check({"project_id": "mine"})


def test_what_was_sent_stays_as_it_was() -> None:
    sent = {"value": '{"first": 1, "last": 2}', "project_id": PROJECT}
    before = copy.deepcopy(sent)
    schema_of(Range).check(sent)
    assert sent == before


def test_a_default_that_changes_is_not_shared_between_runs() -> None:
    def handler(run: Run, seen: list[str] = []) -> None: ...  # noqa: B006  # authors write this

    schema = ParamsSchema.from_signature(handler)
    schema.check({})["seen"].append("a")
    assert schema.check({}) == {"seen": []}


def test_a_default_is_coerced_like_any_value() -> None:
    def handler(run: Run, since: dt.date = "2026-01-01") -> None: ...  # type: ignore[assignment]

    assert ParamsSchema.from_signature(handler).check({}) == {"since": dt.date(2026, 1, 1)}


def test_the_schema_is_fit_for_a_form() -> None:
    assert SEVERAL.json_schema() == {
        "type": "object",
        "additionalProperties": False,
        "required": ["month"],
        "properties": {
            "month": {"title": "Month", "type": "string", "description": "The month, as 2026-02."},
            "count": {"title": "Count", "type": "integer", "default": 1, "description": "How many."},
            "json": {"title": "Json", "type": "boolean", "default": False},
            "_hidden": {"title": "Hidden", "type": "integer", "default": 0},
            "model_config": {"title": "Model config", "type": "string", "default": ""},
        },
    }


def test_what_the_author_says_of_a_field_wins() -> None:
    shown = Annotated[int, Field(title="How often", description="At most ten times.", le=10, alias="times")]
    schema = schema_of(shown)
    assert schema.json_schema()["properties"]["value"] == {
        "title": "How often",
        "description": "At most ten times.",
        "maximum": 10,
        "type": "integer",
    }
    assert schema.check({"value": 3}) == {"value": 3}


def test_the_schema_shows_models_choices_and_openness() -> None:
    def handler(run: Run, when: Range, colour: Colour = Colour.RED, **others: Any) -> None: ...

    schema = ParamsSchema.from_signature(handler).json_schema()
    assert schema["additionalProperties"] is True
    assert schema["properties"]["colour"]["default"] == "red"
    assert schema["$defs"]["Colour"]["enum"] == ["red", "blue"]
    assert schema["$defs"]["Range"]["required"] == ["first", "last"]
    json.dumps(schema)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(["month", "count", "json", "other", "project_id", "run"]) | st.text(), JSON_VALUES))
def test_any_params_fit_or_are_refused(sent: dict[str, Any]) -> None:
    refusal = None
    try:
        SEVERAL.check(sent)
    except InvalidRequest as error:
        refusal = error
    if refusal is not None:
        assert refusal.code == "invalid_params"
        assert refusal.message.encode()
        assert json.dumps(refusal.details, allow_nan=False).encode()
