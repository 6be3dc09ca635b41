"""`tawny serve`."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from tawny.cli.options import App, Concurrency, DataDir, load_settings

Host = Annotated[str | None, typer.Option(help="The address to listen on (127.0.0.1).", show_default=False)]
Port = Annotated[int | None, typer.Option(help="The port to listen on (8585); 0 picks a free one.", show_default=False)]
NoWorker = Annotated[bool, typer.Option("--no-worker", help="Only the API; runs are executed by `tawny work`.")]


def serve(
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    app: App = None,
    concurrency: Concurrency = None,
    no_worker: NoWorker = False,
) -> None:
    """Start everything: the database, the API and a worker. Ctrl-C stops it all."""
    settings = load_settings(host=host, port=port, data_dir=data_dir, app=app, concurrency=concurrency)

    from tawny.cli import house, logs

    logs.configure()
    with suppress(KeyboardInterrupt):
        house.run(settings, with_worker=not no_worker)
