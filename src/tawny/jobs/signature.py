"""Read a handler's signature: which parameters follow `run`, and what they are."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter
from types import SimpleNamespace
from typing import Any, Final
from uuid import UUID

from tawny.errors import DefinitionError
from tawny.jobs.run import Run

PROJECT_ID: Final = "project_id"
REQUIRED: Final = Parameter.empty


@dataclass(frozen=True, slots=True)
class Declared:
    """One parameter of a handler. `default` is REQUIRED where it has none."""

    name: str
    annotation: Any
    default: Any = REQUIRED


@dataclass(frozen=True, slots=True)
class Signature:
    """What a handler takes after `run`."""

    params: tuple[Declared, ...]
    rest: Declared | None
    """`**params`, whose annotation is that of each value."""
    project_id: type[str] | type[UUID] | None
    """As what the handler wants the project's id; None where it does not declare it."""


def read_signature(fn: Callable[..., Any]) -> Signature:
    """Read what follows `run`; DefinitionError for a signature that cannot be called with named params."""
    run, *following = _parameters(fn)
    _check_run(fn, run)
    declared = [_declared(fn, parameter) for parameter in following if _is_named(parameter)]
    rest = [_declared(fn, parameter) for parameter in following if parameter.kind is Parameter.VAR_KEYWORD]
    project = [_project_type(param.annotation) for param in declared if param.name == PROJECT_ID]
    return Signature(
        params=tuple(param for param in declared if param.name != PROJECT_ID),
        rest=rest[0] if rest else None,
        project_id=project[0] if project else None,
    )


def _parameters(fn: Callable[..., Any]) -> list[Parameter]:
    try:
        found = list(inspect.signature(fn).parameters.values())
    except (NameError, TypeError, ValueError) as error:
        raise DefinitionError(f"the signature of its handler cannot be read ({error})") from None
    if not found or found[0].name != "run" or found[0].kind not in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD):
        raise DefinitionError("its handler must take `run` as its first parameter")
    return found


def _check_run(fn: Callable[..., Any], run: Parameter) -> None:
    try:
        wanted = _resolved(fn, run)
    except DefinitionError:  # imported for type checkers only, which is fine for what Tawny passes itself
        return
    judged = isinstance(wanted, type) and wanted is not Any and not getattr(wanted, "_is_protocol", False)
    if judged and not issubclass(Run, wanted):
        raise DefinitionError(f"its handler's first parameter `run` must be a Run, not {wanted.__name__}")


def _is_named(parameter: Parameter) -> bool:
    if parameter.kind is Parameter.VAR_POSITIONAL:
        raise DefinitionError(f"its handler takes `*{parameter.name}`; params have names, so declare each one or use `**params`")
    if parameter.kind is Parameter.POSITIONAL_ONLY:
        raise DefinitionError(f"its parameter `{parameter.name}` is positional-only; params are passed by name, so move the `/`")
    return parameter.kind is not Parameter.VAR_KEYWORD


def _declared(fn: Callable[..., Any], parameter: Parameter) -> Declared:
    return Declared(parameter.name, _resolved(fn, parameter), parameter.default)


def _resolved(fn: Callable[..., Any], parameter: Parameter) -> Any:
    """The annotation as an object. One at a time, so that names only needed for `run` or the result may be missing."""
    if parameter.annotation is Parameter.empty:
        return Any
    alone = SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
    try:
        names = inspect.unwrap(fn).__globals__
        return typing.get_type_hints(alone, globalns=names, include_extras=True)[parameter.name]
    except NameError as error:
        raise DefinitionError(
            f"the type of its parameter `{parameter.name}` needs a name that does not exist at run time ({error}); "
            "import it outside `if TYPE_CHECKING` and define it at the top of the module"
        ) from None
    except Exception as error:  # an annotation is any expression
        raise DefinitionError(f"the type of its parameter `{parameter.name}` cannot be read ({error})") from None


def _project_type(annotation: Any) -> type[str] | type[UUID]:
    if typing.get_origin(annotation) is typing.Annotated:
        return _project_type(annotation.__origin__)
    choices = {choice for choice in typing.get_args(annotation) or (annotation,) if choice is not type(None)}
    if choices == {UUID}:
        return UUID
    if choices <= {str, Any}:
        return str
    raise DefinitionError("its parameter `project_id` receives the checked project's id; annotate it str or UUID")
