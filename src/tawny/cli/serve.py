"""`tawny serve`."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from tawny.cli.options import App, Concurrency, DataDir, ParentFd, load_settings

Host = Annotated[str | None, typer.Option(help="The address to listen on (127.0.0.1).", show_default=False)]
Port = Annotated[int | None, typer.Option(help="The port to listen on (8585); 0 picks a free one.", show_default=False)]
NoWorker = Annotated[bool, typer.Option("--no-worker", help="Only the API; runs are executed by `tawny work`.")]
Reload = Annotated[
    bool, typer.Option("--reload", help="For development: start again whenever a Python file of the app or this folder changes.")
]


def serve(
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    app: App = None,
    concurrency: Concurrency = None,
    no_worker: NoWorker = False,
    reload: Reload = False,
    parent_fd: ParentFd = None,
) -> None:
    """Start everything: the database, the API and a worker. Ctrl-C stops it all."""
    settings = load_settings(host=host, port=port, data_dir=data_dir, app=app, concurrency=concurrency)

    from tawny.cli import logs, orphan

    logs.configure()
    if parent_fd is not None:
        orphan.stop_with_parent(parent_fd)
    if reload:
        from tawny.cli.reload import run
    else:
        from tawny.cli.house import run
    with suppress(KeyboardInterrupt):
        run(settings, with_worker=not no_worker)
