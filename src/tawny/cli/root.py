"""The tree of commands, each loaded when it is called, and what becomes of an error."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

from tawny.cli.overview import ENTRIES, overview
from tawny.cli.say import say
from tawny.errors import RequestError, SettingsError, TawnyError, Unreachable

FAILED: Final = 1
"""The run failed or was cancelled, or what was asked was refused for another reason."""

MISUSED: Final = 2
"""The command was asked wrongly."""

NOT_ALLOWED: Final = 3
CONFLICT: Final = 4
UNREACHABLE: Final = 5
INTERRUPTED: Final = 130

_BY_STATUS: Final = {401: NOT_ALLOWED, 403: NOT_ALLOWED, 409: CONFLICT, 503: UNREACHABLE}


class _Commands(MutableMapping[str, Any]):
    """Commands by name, imported when they are looked up."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = _load(name)
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(ENTRIES)

    def __len__(self) -> int:
        return len(ENTRIES)


def _load(name: str) -> Any:
    module = importlib.import_module(ENTRIES[name].module)
    found = getattr(module, "app", None)
    if found is None:
        found = typer.Typer(add_completion=False, rich_markup_mode=None)
        found.command(name)(getattr(module, name.replace("-", "_")))
    command = get_command(found)
    command.name = name
    return command


class _Root(TyperGroup):
    """All commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()

    def list_commands(self, ctx: Any) -> list[str]:
        return list(ENTRIES)

    def get_help(self, ctx: Any) -> str:
        return overview().rstrip()


app = typer.Typer(name="tawny", cls=_Root, no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.callback(add_help_option=False)
def _root() -> None:
    """Background jobs your users can see."""


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code.

    0 done or completed · 1 failed, cancelled or refused · 2 asked wrongly · 3 not allowed · 4 conflict · 5 unreachable ·
    130 interrupted. What Tawny says no with becomes one sentence on stderr. Anything else is a bug, and shows its traceback.
    """
    try:
        code = app(arguments, prog_name="tawny", standalone_mode=False) or 0
        sys.stdout.flush()
        return code
    except typer.TyperException as error:
        return _misused(error)
    except SettingsError as error:
        return _refuse(str(error), MISUSED)
    except Unreachable as error:
        return _refuse(f"{error} Check the address, and that the server is running.", UNREACHABLE)
    except RequestError as error:
        return _refuse(_with_advice(error), _BY_STATUS.get(error.status, FAILED))
    except TawnyError as error:
        return _refuse(str(error), FAILED)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has had enough, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _misused(error: typer.TyperException) -> int:
    said = error.format_message()
    if said.startswith("Usage: "):
        print(said, file=sys.stderr)
        return error.exit_code
    return _refuse(said, error.exit_code)


def _with_advice(error: RequestError) -> str:
    """The server's sentence, and which command is next where that is known."""
    existing = error.details.get("existing_run_id")
    if existing:
        return f"{error} It is {existing}; `tawny jobs watch {str(existing)[-8:]}` follows it."
    if error.status == 401 and error.code == "unauthenticated":
        return "The server does not know this key or sign-in (any more): run `tawny login`, or check TAWNY_API_KEY."
    if error.code == "insufficient_permission" and "sign in as a user" in str(error):
        return f"{error} `tawny login --user` does that."
    return str(error)


def _refuse(sentence: str, code: int) -> int:
    if sentence:
        say(f"tawny: {sentence}")
    return code
