"""The options that commands share, and the settings that come of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tawny.config import Settings

DataDir = Annotated[
    Path | None,
    typer.Option(help="The state folder: the embedded database and the generated secret (./.tawny).", show_default=False),
]
App = Annotated[
    str | None, typer.Option(metavar="MODULE:ATTRIBUTE", help="Where your job types are (tawny.demo:app).", show_default=False)
]
Concurrency = Annotated[int | None, typer.Option(help="How many runs the worker executes at once (100).", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
ParentFd = Annotated[int | None, typer.Option(hidden=True)]
"""The pipe by which a command that another one started notices the end of that one."""


def load_settings(**options: Any) -> Settings:
    """The settings of this process: `tawny.toml`, the environment, and the options that were given."""
    from tawny.config import Settings

    return Settings.load(os.environ, options)
