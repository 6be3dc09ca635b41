"""The options that the commands for users share."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from tawny.cli.options import Json as Json

Profile = Annotated[
    str | None, typer.Option(metavar="NAME", help="Which sign-in to use (TAWNY_PROFILE, or default).", show_default=False)
]
Team = Annotated[str | None, typer.Option(metavar="ID|SLUG", help="The team, unless the one you chose.", show_default=False)]
Project = Annotated[
    str | None, typer.Option(metavar="ID|SLUG", help="The project, unless the one you chose.", show_default=False)
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def group(what_for: str) -> typer.Typer:
    """A group of commands. Its help is plain text: drawing boxes takes longer than all else together."""
    return typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help=what_for)


def seconds(text: str, option: str) -> float:
    """The seconds in `30s`, `10m`, `1h` or `7d`."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d+)?)([smhd]?)", text.strip())
    if not found:
        raise typer.BadParameter(f"{text!r} should be a duration such as 30s, 10m, 1h or 7d.", param_hint=option)
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}[found[2]]
