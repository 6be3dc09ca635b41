"""The part of an app that knows no database: the job types that belong to it. Authors make a `Tawny`, which can also trigger."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType
from typing import Any, Concatenate, TypeVar

from tawny.errors import DefinitionError
from tawny.jobs.define import check_name, define
from tawny.jobs.job import CatchUp, Isolation, Job, Options, Scope
from tawny.jobs.run import Run

Result = Mapping[str, Any] | None
Handler = TypeVar("Handler", bound=Callable[Concatenate[Run, ...], Result | Awaitable[Result]])
"""A function that takes a Run and params and returns a dict or None; async, or plain and then run in a thread."""


class App:
    """The job types of one server. `lifespan` opens what they share, once per worker; `run.state` holds it."""

    def __init__(self, lifespan: Callable[..., AbstractAsyncContextManager[Any]] | None = None) -> None:
        _check_lifespan(lifespan)
        self.lifespan = lifespan
        self._jobs: dict[str, Job] = {}

    @property
    def jobs(self) -> Mapping[str, Job]:
        """The job types by name, in the order of their definition. Read-only."""
        return MappingProxyType(self._jobs)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(self._jobs) or 'without jobs'}>"

    def job(
        self,
        name: str,
        *,
        label: str | None = None,
        description: str | None = None,
        scope: Scope = "project",
        retries: int = 0,
        timeout: str | float | None = None,
        unique_by: tuple[str, ...] = (),
        concurrency: int | None = None,
        cancel_grace: str | float = "30s",
        isolate: Isolation | None = None,
    ) -> Callable[[Handler], Handler]:
        """Make the function below a job type. What follows `run` in its signature is what it takes.

        `label` is what people see (made from the name otherwise), `description` the docstring unless given. `retries`: how
        often a run that raised is tried again. `timeout` of one attempt and `cancel_grace` are seconds or texts like "1h".
        `unique_by`: parameters that tell runs of one project apart, so that one of each may be active. `concurrency`: how many
        runs at once over all workers. `isolate="process"`: each run in a process of its own, so that a crash, lack of memory or
        an endless loop costs only that run. The process imports the app and enters its lifespan anew, about half a second. A
        handler that does not stop is killed, with whatever it has started. What it prints is kept in the log of the run.

        Returns the function unchanged. DefinitionError with one sentence for a wrong definition.
        """
        return self._definer(
            Options(
                name=name,
                scope=scope,
                label=label,
                description=description,
                retries=retries,
                timeout=timeout,
                unique_by=unique_by,
                concurrency=concurrency,
                cancel_grace=cancel_grace,
                isolate=isolate,
            )
        )

    def system_job(
        self,
        name: str,
        *,
        label: str | None = None,
        description: str | None = None,
        cron: str | None = None,
        timezone: str = "UTC",
        catch_up: CatchUp = "last",
        retries: int = 0,
        timeout: str | float | None = None,
    ) -> Callable[[Handler], Handler]:
        """Make the function below a job type of the server itself: no team, no project, started by `cron` or the operator.

        `catch_up`: which of the due times that passed while nothing ran are made up for. The rest as in `job`.
        """
        return self._definer(
            Options(
                name=name,
                scope="system",
                label=label,
                description=description,
                cron=cron,
                timezone=timezone,
                catch_up=catch_up,
                retries=retries,
                timeout=timeout,
            )
        )

    def _definer(self, options: Options) -> Callable[[Handler], Handler]:
        check_name(options.name)

        def add(handler: Handler) -> Handler:
            if options.name in self._jobs:
                raise DefinitionError(f'Job type "{options.name}": this name is already taken in this app.')
            self._jobs[options.name] = define(handler, options)
            return handler

        return add


def _check_lifespan(lifespan: object) -> None:
    if lifespan is None:
        return
    if not callable(lifespan):
        raise DefinitionError("Tawny(lifespan=...) must be a function that opens what the job types share.")
    if any(check(lifespan) for check in (inspect.isasyncgenfunction, inspect.isgeneratorfunction, inspect.iscoroutinefunction)):
        raise DefinitionError("The function of Tawny(lifespan=...) needs the decorator @asynccontextmanager, and one `yield`.")
