"""`tawny serve --reload`: a server that starts again whenever the author's code changes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import structlog
from watchfiles import PythonFilter, awatch

from tawny.cli import listen
from tawny.cli.child import Child, child_environ
from tawny.cli.signals import on_stop_signals
from tawny.config import Settings
from tawny.errors import StartError

_DRAIN = 1.0  # seconds that runs get to finish before an edit takes effect, unless the author says otherwise
_MARGIN = 30.0  # seconds that a server has for stopping besides those for its runs
_TOGETHER = 200  # milliseconds in which changes count as one: editors write several files, and databases never rest

log = structlog.get_logger()


def run(settings: Settings, *, with_worker: bool) -> None:
    """Run the same server in a child process until a signal stops it, and run it anew whenever a file changes."""
    drain = _DRAIN if settings.source("drain") == "default" else settings.drain
    command = ["serve"] if with_worker else ["serve", "--no-worker"]
    # Bound here for as long as this process lives, though it never listens: the port stays the same, also one that was picked.
    with listen.bound(settings.host, settings.port) as sockets:
        environ = child_environ(settings, port=sockets[0].getsockname()[1], drain=drain)
        asyncio.run(_supervise(Reloader(command, environ, patience=drain + _MARGIN), settings))


async def _supervise(reloader: Reloader, settings: Settings) -> None:
    on_stop_signals(reloader.ask_to_stop)
    watching = asyncio.create_task(_watch(settings, reloader.ask_to_reload))
    serving = asyncio.create_task(reloader.run())
    await asyncio.wait({watching, serving}, return_when=asyncio.FIRST_COMPLETED)
    reloader.ask_to_stop()
    await serving
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching


class Reloader:
    """Runs a command, stops it and runs it again when asked to. When it ends by itself, the next change starts it again."""

    def __init__(self, command: list[str], environ: Mapping[str, str], *, patience: float) -> None:
        """`patience`: seconds after which a child that was told to stop is killed."""
        self._command = command
        self._environ = environ
        self._patience = patience
        self._stopping = False
        self._asked = asyncio.Event()
        self._child: Child | None = None

    def ask_to_reload(self) -> None:
        self._asked.set()

    def ask_to_stop(self) -> None:
        """End. Asked again, the server gives its runs back at once."""
        if self._stopping and self._child is not None:
            self._child.ask_to_stop()
        self._stopping = True
        self._asked.set()

    async def run(self) -> None:
        """Serve until asked to stop."""
        while not self._stopping:
            self._asked.clear()  # what changed until now is in what starts now
            self._child = await Child.start(*self._command, environ=self._environ)
            await self._serve(self._child)

    async def _serve(self, child: Child) -> None:
        """Return once the child has ended and something else has been asked for."""
        ended, asked = asyncio.create_task(child.ended()), asyncio.create_task(self._asked.wait())
        await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done() and not asked.done():
            log.warning("the server has ended and starts again at the next change", exit_code=ended.result())
            await asked
        child.ask_to_stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                await asyncio.shield(ended)
        if not ended.done():
            log.warning("the server did not stop in time and is killed")
            child.kill()
            await ended


async def _watch(settings: Settings, on_change: Callable[[], None]) -> None:
    """Call `on_change` after each change of the author's Python files."""
    sources = PythonFilter(ignore_paths=[settings.data_dir])
    watched = awatch(*folders(settings.app), watch_filter=sources, debounce=_TOGETHER, ignore_permission_denied=True)
    try:
        async for changes in watched:
            log.info("the code has changed and the server starts again", files=_shown(path for _, path in changes))
            on_change()
    except OSError as error:
        raise StartError(f"The files cannot be watched for --reload: {error}.") from error


def _shown(paths: Iterable[str]) -> list[str]:
    return sorted({os.path.relpath(path) for path in paths})


def folders(app: str) -> Iterator[Path]:
    """The current folder, and those of the app where it lies elsewhere."""
    here = Path.cwd()
    yield here
    package = app.partition(":")[0].partition(".")[0]
    spec = find_spec(package) if package else None
    if spec is None or not spec.has_location:
        return
    places = spec.submodule_search_locations or [str(Path(str(spec.origin)).parent)]
    yield from (Path(place) for place in places if not Path(place).is_relative_to(here))
