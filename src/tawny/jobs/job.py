"""A job type, as it was defined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from tawny.jobs.params import ParamsSchema

Scope = Literal["project", "system"]
Isolation = Literal["process"]
CatchUp = Literal["all", "last", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What an author may say of a job type, as it was written."""

    name: str
    scope: Scope = "project"
    label: str | None = None
    description: str | None = None
    retries: int = 0
    timeout: str | float | None = None
    unique_by: tuple[str, ...] = ()
    concurrency: int | None = None
    cancel_grace: str | float = "30s"
    isolate: Isolation | None = None
    cron: str | None = None
    timezone: str = "UTC"
    catch_up: CatchUp = "last"
    builtin: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job type. Its options have been checked; times are seconds."""

    name: str
    label: str
    description: str
    scope: Scope
    handler: Callable[..., Any]
    is_async: bool
    params: ParamsSchema
    wants_project_id: bool
    retries: int
    timeout: float | None
    unique_by: tuple[str, ...]
    concurrency: int | None
    cancel_grace: float
    isolate: Isolation | None
    cron: str | None
    timezone: str
    catch_up: CatchUp
    builtin: bool
    """Whether it is the server's own, and in no author's app."""
