"""Build the pydantic model and the JSON schema of a handler's params."""

from __future__ import annotations

from collections.abc import Callable
from types import GenericAlias
from typing import Annotated, Any, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

from tawny.errors import DefinitionError
from tawny.jobs import docstring
from tawny.jobs.misfit import why
from tawny.jobs.signature import REQUIRED, Declared, Signature

_CONFIG = ConfigDict(validate_default=True, allow_inf_nan=False, hide_input_in_errors=True)
# What pydantic raises for a type that it can make nothing of depends on the type.
_UNBUILDABLE = (PydanticUserError, TypeError, NameError, ValueError, AttributeError)


def field_of(index: int) -> str:
    """The model's field for the parameter at this place of the signature.

    Fields are numbered and carry the parameter's name as an alias: a parameter may be called `json` or `_x`, a field may not.
    """
    return f"p{index}"


def build_model(fn: Callable[..., Any], signature: Signature) -> type[BaseModel]:
    """Return a model with a field for each parameter; DefinitionError where a type or a default cannot be one."""
    _check_no_field_defaults(signature)
    said = docstring.parameters(fn)
    fields: dict[str, Any] = {
        field_of(index): (_annotated(param, said.get(param.name)), ... if param.default is REQUIRED else param.default)
        for index, param in enumerate(signature.params)
    }
    try:
        model = create_model("params", __base__=_base(signature.rest), **fields)
        json_schema(model)
    except _UNBUILDABLE:
        raise DefinitionError(_unbuildable(signature)) from None
    _check_defaults(model)
    return model


def _base(rest: Declared | None) -> type[BaseModel]:
    if rest is None:
        return _Closed
    extra = {"__pydantic_extra__": GenericAlias(dict, (str, rest.annotation))}
    return type("Open", (_Open,), {"__annotations__": extra, "__module__": __name__})


class _Closed(BaseModel):
    model_config = _CONFIG | {"extra": "forbid"}


class _Open(BaseModel):
    model_config = _CONFIG | {"extra": "allow"}


def _annotated(param: Declared, description: str | None) -> Any:
    """The type with a title and a description for forms, which the author's own `Field` overrides."""
    shown = Field(title=param.name.strip("_").replace("_", " ").capitalize() or param.name, description=description)
    named = Field(alias=param.name, validation_alias=param.name)
    if get_origin(param.annotation) is Annotated:
        return Annotated[param.annotation.__origin__, shown, *param.annotation.__metadata__, named]
    return Annotated[param.annotation, shown, named]


def _check_no_field_defaults(signature: Signature) -> None:
    for param in signature.params:
        if isinstance(param.default, FieldInfo):
            raise DefinitionError(f"its parameter `{param.name}` has a Field as its default; write Annotated[type, Field(...)]")


def _unbuildable(signature: Signature) -> str:
    """Find the parameter whose type cannot be a schema, by trying each one alone."""
    for param in [*signature.params, *filter(None, [signature.rest])]:
        try:
            json_schema(create_model("params", __config__=_CONFIG, value=(param.annotation, ...)))
        except _UNBUILDABLE as error:
            told = str(error).splitlines()[0].rstrip(".")
            return f"the type of its parameter `{param.name}` cannot come from JSON ({told})"
    return "its parameters do not make a schema"


def _check_defaults(model: type[BaseModel]) -> None:
    try:
        model.model_validate({})
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            field, *inner = detail["loc"]
            if detail["type"] != "missing" or inner:
                name = model.model_fields[str(field)].alias or ""
                detail["loc"] = (name, *inner)
                problem = f"the default of its parameter `{name}` does not fit its type: it {why(detail)}"
                raise DefinitionError(problem) from None


class _FormSchema(GenerateJsonSchema):
    # A default that JSON cannot show is left out of the form; that is no reason to warn the author.
    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of the params object."""
    schema = model.model_json_schema(schema_generator=_FormSchema)
    schema.pop("title", None)
    return schema
