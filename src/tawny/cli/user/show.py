"""What people and programs are shown. Answers go to stdout, all else to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import typer

from tawny.cli.say import say

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

WITHOUT_TERMINAL: Final = 200
"""Columns that a table may have where nobody says how wide the terminal is, as in a pipe."""

WIDE: Final = 110
"""Columns from which on there is room for whole ids."""

GAP: Final = 2
"""Blanks between two columns."""

LEAST: Final = 12
"""Columns of text that a column that gives way keeps while others could give way too."""

_STYLES: Final = {
    "completed": "green",
    "failed": "red",
    "cancelled": "yellow",
    "running": "cyan",
    "pending": "dim",
    "warning": "yellow",
    "error": "red",
    "debug": "dim",
}
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"))


def console(*, stderr: bool = False) -> Console:
    """A console that is as wide as the terminal and takes no text for markup."""
    from rich.console import Console

    made = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not made.is_terminal and "COLUMNS" not in made._environ:
        made.width = WITHOUT_TERMINAL
    return made


def interactive() -> bool:
    """Whether there is somebody who can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def clean(text: object) -> str:
    """A text on one line that does nothing to a terminal, whoever wrote it."""
    return "".join(_harmless(letter) for letter in str(text))


def clean_lines(text: object) -> str:
    """The same, but for its line breaks."""
    return "\n".join(clean(line) for line in str(text).splitlines())


def _harmless(letter: str) -> str:
    if letter.isprintable():
        return letter
    return " " if letter.isspace() else "�"


def document(value: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(value, default=_plain, indent=2))


def line(value: Any) -> None:
    """Print one JSON document of a stream."""
    print(json.dumps(value, default=_plain), flush=True)


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC).isoformat(timespec='milliseconds').removesuffix('+00:00')}Z"
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def ask(question: str, default: str | None = None) -> str:
    """Ask for a text on stderr."""
    return str(typer.prompt(question, default=default, err=True)).strip()


def confirm(question: str, *, yes: bool) -> None:
    """Ask whether to go on, and abort if not. Without a terminal `--yes` has to say so."""
    if yes:
        return
    if not interactive():
        raise typer.BadParameter("there is no terminal to ask at; say it with --yes.", param_hint="--yes")
    if not typer.confirm(question, err=True):
        say("Nothing was changed.")
        raise typer.Abort


def status(word: str) -> Text:
    """A status in its colour."""
    from rich.text import Text

    return Text(word, style=style(word))


def style(word: str) -> str:
    """The colour of a status or a level."""
    return _STYLES.get(word, "")


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, to: Console, cut: Sequence[str] = ()) -> None:
    """Print rows under headings, never wider than the terminal. The columns in `cut` give way first."""
    from rich.table import Table
    from rich.text import Text

    cells = [[cell if isinstance(cell, Text) else Text(clean(cell)) for cell in row] for row in rows]
    needed = [max(len(column), *(row[at].cell_len for row in cells)) for at, column in enumerate(columns)]
    made = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    widths = fitted(needed, to.width - GAP * (len(needed) - 1), [columns.index(column) for column in cut])
    for column, width in zip(columns, widths, strict=True):
        made.add_column(column, no_wrap=True, overflow="ellipsis", width=width)
    for row in cells:
        made.add_row(*row)
    _print(made, to)


def fitted(needed: Sequence[int], room: int, cut: Sequence[int]) -> list[int]:
    """Widths that fit into the room: the widest of the columns in `cut` give way first, then the widest of all."""
    widths = list(needed)
    for candidates, least in ((cut, LEAST), (range(len(widths)), 1)):
        while sum(widths) > room and any(widths[at] > least for at in candidates):
            widths[max(candidates, key=widths.__getitem__)] -= 1
    return widths


def _print(made: Table, to: Console) -> None:
    """Without the blanks that fill up lines."""
    with to.capture() as captured:
        to.print(made)
    to.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def facts(pairs: Mapping[str, object], *, to: Console) -> None:
    """Print names and values, one below the other; what is None is left out."""
    from rich.table import Table
    from rich.text import Text

    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs.items():
        if value is not None:
            made.add_row(name, value if isinstance(value, Text) else Text(clean_lines(value)))
    _print(made, to)


def ago(moment: datetime | str | None, *, now: datetime | None = None) -> str:
    """How long ago something was: `12s ago`, `3h ago`."""
    if moment is None:
        return "-"
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    seconds = ((now or datetime.now(UTC)) - at).total_seconds()
    return f"{_rough(seconds)} ago" if seconds >= 1 else f"in {_rough(-seconds)}" if seconds <= -1 else "now"


def _rough(seconds: float) -> str:
    return next((f"{int(seconds // size)}{unit}" for size, unit in _UNITS if seconds >= size), f"{int(seconds)}s")


def span(seconds: float) -> str:
    """A length of time: `40ms`, `1.2s`, `12s`, `3m 20s`, `2h 05m`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 10:
        return f"{seconds:.1f}s"
    if seconds < 60:
        return f"{seconds:.0f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m {rest:02}s" if minutes < 60 else f"{minutes // 60}h {minutes % 60:02}m"


def moment(at: datetime | str | None) -> str | None:
    """A time for people, with how long ago it was."""
    if at is None:
        return None
    at = datetime.fromisoformat(at) if isinstance(at, str) else at
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S} ({ago(at)})"
