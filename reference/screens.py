"""What the command line looks like in a real terminal, as text. Written anew by `scripts/screens`."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.commands import Serving, environment
from tests.postgres import eventually

from reference.terminal import Terminal

ROOT: Final = Path(__file__).parents[1]
IMAGES: Final = ROOT / "docs" / "images"
APP: Final = ROOT / "tests" / "walks" / "exporter.py"
EMAIL: Final = "you@localhost"


class Desk:
    """A server with an app of two job types, and terminals of somebody who is not signed in yet."""

    def __init__(self, folder: Path, serving: Serving) -> None:
        self.folder = folder
        self.serving = serving

    def terminal(self, columns: int = 80, rows: int = 30) -> Terminal:
        """A terminal in which `tawny` is this one, and HOME a folder of its own."""
        commands = str(Path(sys.executable).parent)
        mine = environment(HOME=str(self.folder), PATH=f"{commands}{os.pathsep}{os.environ['PATH']}")
        mine = {name: value for name, value in mine.items() if name not in ("XDG_CONFIG_HOME", "COLUMNS", "TMUX")}
        return Terminal(self.folder, mine, columns=columns, rows=rows)

    def code(self, times: int) -> str:
        """The code of the so-manieth mail, from the server's log."""
        said: list[str] = []

        def there() -> bool:
            said[:] = re.findall(rf"sign-in code for {EMAIL}: (\d{{6}})", self.serving.err)
            return len(said) >= times

        self.wait(there)
        return said[times - 1]

    def wait(self, fact: Callable[[], bool]) -> None:
        eventually(fact, 60)

    def sign_in(self, terminal: Terminal, *, user: bool = False, times: int = 1) -> str:
        """Sign in as somebody at a terminal does, and return the screen."""
        terminal.start(f"tawny login{' --user' if user else ''}")
        terminal.wait_for("The server [")
        terminal.type(self.serving.address)
        terminal.wait_for("Your e-mail address")
        terminal.type(EMAIL)
        terminal.wait_for("The code")
        terminal.type(self.code(times))
        return terminal.finish()

    def restart(self) -> None:
        """Stop the server as Ctrl-C does, and start it again at the same address."""
        port = self.serving.address.rpartition(":")[2]
        self.serving.press_ctrl_c()
        self.serving.ended()
        self.serving.__exit__()
        self.serving = Serving(self.serving.folder, "--port", port, "--app", "exporter:app")
        self.serving.wait_until_up()

    def go(self) -> None:
        """Let the runs that stopped at `stop_at` go on."""
        (self.serving.folder / "go").touch()

    def stop(self) -> None:
        """Let runs stop at their `stop_at` again."""
        (self.serving.folder / "go").unlink(missing_ok=True)


@contextmanager
def desk(folder: Path) -> Iterator[Desk]:
    """Start the server and wait until it is up."""
    place = folder / "server"
    place.mkdir(parents=True)
    (place / "exporter.py").write_text(APP.read_text())
    made = Desk(folder, Serving(place, "--port", "0", "--app", "exporter:app"))
    try:
        made.serving.wait_until_up()
        yield made
    finally:
        made.serving.__exit__()


EXPORT: Final = "tawny jobs trigger invoice_export --param month=2026-01"


def capture(desk: Desk) -> Iterator[tuple[str, str]]:
    """Go through everything once; each screen with the name of its file."""
    with desk.terminal(rows=48) as terminal:
        yield "help", terminal.run("tawny --help")
        yield "help-trigger", terminal.run("tawny jobs trigger --help")
        yield "not-signed-in", terminal.run("tawny jobs list")
        yield "login", desk.sign_in(terminal)
        yield "whoami", terminal.run("tawny whoami")
        yield "empty", terminal.run("tawny jobs list")
        yield "types-80", terminal.run("tawny jobs types")
        yield from _watching(desk, terminal, 80)
        terminal.start(f"{EXPORT} --param stop_at=300 --wait")
        terminal.wait_for("300/1,200")
        yield "conflict", _conflict(desk)
        terminal.press("C-c")
        yield "ctrl-c", terminal.wait_for("go on watching (w)?")
        terminal.type("c")
        yield "cancelled", terminal.finish()
        yield "retried", terminal.run("tawny jobs trigger contact_import --wait")
        listed = terminal.run("tawny jobs list")
        yield "list-80", listed
        yield "projects", terminal.run("tawny projects list")
        yield "view", terminal.run(f"tawny jobs view {_newest(listed, 'contact_import')}")
        yield "logs", terminal.run(f"tawny jobs logs {_newest(listed, 'invoice_export  completed')}")
        yield "keys-refused", terminal.run("tawny keys list")
        desk.sign_in(terminal, user=True, times=2)
        yield "keys-80", terminal.run("tawny keys list")
        yield "unreachable", terminal.run("TAWNY_URL=http://127.0.0.1:1 TAWNY_API_KEY=x tawny jobs list; echo $?")
        yield "usage", terminal.run("tawny jobs trigger invoice_export --param month; tawny jobs wach; tawny jobs view 12")
    with desk.terminal(columns=120, rows=48) as terminal:
        yield "types-120", terminal.run("tawny jobs types")
        yield from _watching(desk, terminal, 120)
        yield "list-120", terminal.run("tawny jobs list")
        yield "keys-120", terminal.run("tawny keys list")


def _newest(listed: str, what: str) -> str:
    """The id of the first run in a list of which this is said."""
    return next(line.split()[0] for line in listed.splitlines() if what in line)


def _watching(desk: Desk, terminal: Terminal, columns: int) -> Iterator[tuple[str, str]]:
    desk.stop()
    terminal.start(f"{EXPORT} --param stop_at=700 --wait")
    terminal.wait_for("700/1,200")
    yield f"bar-{columns}", terminal.screen()
    desk.go()
    yield f"completed-{columns}", terminal.finish()
    desk.stop()


def _conflict(desk: Desk) -> str:
    with desk.terminal() as other:
        return other.run(EXPORT)


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tawny-screens-") as folder, desk(Path(folder)) as made:
        for name, screen in capture(made):
            (IMAGES / f"{name}.txt").write_text(f"{screen.replace(made.serving.address, 'http://127.0.0.1:8585')}\n")
            sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main()
