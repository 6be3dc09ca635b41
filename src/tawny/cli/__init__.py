"""The commands, and the only place that wires everything. What is heavy is imported when its command runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from tawny.cli import admin, check, mcp, migrate, serve, work
from tawny.errors import SettingsError, TawnyError

FAILED = 1
MISUSED = 2
INTERRUPTED = 130

app = typer.Typer(
    name="tawny",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command()(serve.serve)
app.command()(work.work)
app.command()(migrate.migrate)
app.command()(check.check)
app.command()(mcp.mcp)
app.add_typer(admin.app, name="admin")


def _show_version(wanted: bool) -> None:
    if wanted:
        import tawny

        print(f"tawny {tawny.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """Background jobs your users can see. Start with `tawny serve`."""


def main() -> None:
    """Run the command that this process was started with, and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code: 0 done, 1 it failed, 2 it was asked wrongly, 130 interrupted.

    What Tawny says no with becomes one sentence on stderr. Anything else is a bug, and shows its traceback.
    """
    try:
        return app(arguments, prog_name="tawny", standalone_mode=False) or 0
    except typer.TyperException as error:
        return _refuse(error.format_message(), error.exit_code)
    except SettingsError as error:
        return _refuse(str(error), MISUSED)
    except TawnyError as error:
        return _refuse(str(error), FAILED)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED


def _refuse(sentence: str, code: int) -> int:
    if sentence:
        print(f"tawny: {sentence}", file=sys.stderr)
    return code
