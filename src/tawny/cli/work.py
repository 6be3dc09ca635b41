"""`tawny work`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection
from functools import partial
from typing import Annotated

import typer

from tawny.cli.options import App, Concurrency, DataDir, ParentFd, load_settings

Types = Annotated[
    str | None,
    typer.Option(metavar="A,B", help="Of the app's job types, execute only runs of these.", show_default=False),
]


def work(
    data_dir: DataDir = None,
    app: App = None,
    concurrency: Concurrency = None,
    types: Types = None,
    parent_fd: ParentFd = None,
) -> None:
    """Execute runs, beside a `tawny serve` or on another machine. Ctrl-C stops it gracefully."""
    settings = load_settings(data_dir=data_dir, app=app, concurrency=concurrency)

    from tawny.builtin import jobs_beside
    from tawny.cli import database, logs, orphan
    from tawny.db.migrate import wait_for_schema
    from tawny.jobs.load import load_app
    from tawny.workers.process import run_worker

    logs.configure()
    if parent_fd is not None:
        orphan.stop_with_parent(parent_fd)
    if settings.census_root is not None:
        # The demo reads it from the environment, like any app its own settings.
        os.environ["TAWNY_CENSUS_ROOT"] = str(settings.census_root)
    loaded = load_app(settings.app)
    chosen = choose_types(types, loaded.jobs)
    builtin = jobs_beside(loaded.jobs, settings)
    url = database.joined(settings)
    with database.explained():
        asyncio.run(wait_for_schema(url))
    restart = partial(orphan.start_again, parent_fd)
    raise typer.Exit(run_worker(loaded, url=url, settings=settings, types=chosen, builtin=builtin, restart=restart))


def choose_types(names: str | None, known: Collection[str]) -> list[str] | None:
    """The job types of `a,b`, or None for all; a usage error names the first one that is not there."""
    if names is None:
        return None
    chosen = [name.strip() for name in names.split(",")]
    unknown = next((name for name in chosen if name not in known), None)
    if unknown is not None:
        offered = ", ".join(sorted(known)) or "none"
        raise typer.BadParameter(f"there is no job type {unknown!r}; the app has: {offered}.", param_hint="--types")
    return chosen
