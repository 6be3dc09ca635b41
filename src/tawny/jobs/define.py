"""Turn a function and its options into a job type, or say in one sentence what is wrong with them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar, get_args

from tawny.config import duration
from tawny.errors import DefinitionError
from tawny.jobs import docstring
from tawny.jobs.cron import CronError, parse_cron, parse_zone
from tawny.jobs.job import CatchUp, Job, Options, Scope
from tawny.jobs.params import ParamsSchema

T = TypeVar("T")

_NAME = re.compile(r"[a-z0-9_.-]{1,64}")
RESERVED: Final = "tawny."
"""How the names of the server's own job types begin."""

_MOST_RETRIES = 100
_MOST_AT_ONCE = 1_000  # each is a row that claims look at


def check_name(name: object) -> None:
    """DefinitionError unless this can be the name of a job type."""
    if callable(name):
        raise DefinitionError(f'Job type "{getattr(name, "__name__", name)}": write the decorator with a name, @app.job("name").')
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DefinitionError(f"Job type {name!r}: a name is 1 to 64 of the characters a-z, 0-9, _, . and -.")
    if name.startswith(RESERVED):
        raise DefinitionError(f'Job type "{name}": names that start with {RESERVED} are those of built-in jobs; choose another.')


def define(handler: Callable[..., Any], options: Options) -> Job:
    """Return the job type. DefinitionError with one sentence that names the job type and what is wrong."""
    try:
        return _define(handler, options)
    except DefinitionError as error:
        raise DefinitionError(f'Job type "{options.name}": {error}.') from None


def _define(handler: Callable[..., Any], options: Options) -> Job:
    is_async = _check_function(handler)
    params = ParamsSchema.from_signature(handler)
    _check_scope(options, params)
    _check_isolation(options)
    return Job(
        name=options.name,
        label=_text(options.label, "label") or re.sub("[_.-]+", " ", options.name).strip().capitalize() or options.name,
        description=_text(options.description, "description") or docstring.description(handler),
        scope=options.scope,
        handler=handler,
        is_async=is_async,
        params=params,
        wants_project_id=params.wants_project_id,
        retries=_whole(options.retries, "retries", 0, _MOST_RETRIES),
        timeout=None if options.timeout is None else _positive(options.timeout, "timeout"),
        unique_by=_unique_by(options.unique_by, params),
        concurrency=None if options.concurrency is None else _whole(options.concurrency, "concurrency", 1, _MOST_AT_ONCE),
        cancel_grace=_seconds(options.cancel_grace, "cancel_grace"),
        isolate=options.isolate,
        cron=_cron(options.cron),
        timezone=_timezone(options.timezone),
        catch_up=_choice(options.catch_up, "catch_up", CatchUp),
        builtin=options.builtin,
    )


def _check_function(handler: object) -> bool:
    """Whether it is an async function; DefinitionError unless it is one that can be a handler."""
    if not inspect.isfunction(handler):
        raise DefinitionError(f"its handler must be a function written with `def`, not {_described(handler)}")
    inner = inspect.unwrap(handler)
    if any(map(inspect.isgeneratorfunction, (handler, inner))) or any(map(inspect.isasyncgenfunction, (handler, inner))):
        raise DefinitionError("its handler uses `yield`; a handler returns a dict or None, once")
    if inspect.iscoroutinefunction(inner) and not inspect.iscoroutinefunction(handler):
        raise DefinitionError("its handler is an async function inside a plain wrapper; make the wrapper `async def` too")
    return inspect.iscoroutinefunction(handler)


def _described(value: object) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else f"{type(value).__name__}"


def _check_scope(options: Options, params: ParamsSchema) -> None:
    _choice(options.scope, "scope", Scope)
    if options.scope == "system" and params.wants_project_id:
        raise DefinitionError("its handler takes `project_id`, but a system job has no project")


def _check_isolation(options: Options) -> None:
    if options.isolate not in (None, "process"):
        raise DefinitionError(f'isolate must be None or "process", not {options.isolate!r}')


def _text(value: object, option: str) -> str | None:
    if value is not None and not (isinstance(value, str) and value.strip()):
        raise DefinitionError(f"{option} must be text that is not empty, not {value!r}")
    return value


def _whole(value: object, option: str, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise DefinitionError(f"{option} must be a whole number from {least} to {most}, not {value!r}")
    return value


def _seconds(value: str | float, option: str) -> float:
    try:
        return duration(value)
    except ValueError as error:
        raise DefinitionError(f"{option} {error}, not {value!r}") from None


def _positive(value: str | float, option: str) -> float:
    seconds = _seconds(value, option)
    if seconds == 0:
        raise DefinitionError(f"{option} must be more than 0 seconds")
    return seconds


def _unique_by(names: object, params: ParamsSchema) -> tuple[str, ...]:
    if not isinstance(names, tuple | list) or not all(isinstance(name, str) for name in names):
        raise DefinitionError(f'unique_by must be a tuple of parameter names such as ("month",), not {names!r}')
    for name in names:
        if name not in params.names:
            raise DefinitionError(f"unique_by names `{name}`, which is not a parameter of its handler")
    if len(set(names)) < len(names):
        raise DefinitionError("unique_by names a parameter twice")
    return tuple(names)


def _cron(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise DefinitionError(f'cron must be an expression such as "0 2 * * *", not {value!r}')
    try:
        return parse_cron(value, "UTC").expression
    except CronError as error:
        raise DefinitionError(f"cron {error}") from None


def _timezone(name: str) -> str:
    try:
        parse_zone(name)
    except CronError as error:
        raise DefinitionError(f"timezone {error}") from None
    return name


def _choice(value: T, option: str, choices: object) -> T:
    if value not in get_args(choices):
        raise DefinitionError(f"{option} must be one of {', '.join(map(repr, get_args(choices)))}, not {value!r}")
    return value
