"""Watch one run: a bar for people, lines where there is no terminal, JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, closing
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Literal

import typer

from tawny.cli.say import say
from tawny.cli.user import show
from tawny.cli.user.server import Server
from tawny.errors import TawnyError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tawny.client import Event, Run

Choice = Literal["cancel", "leave", "watch"]

_SENTENCES: Final = {
    "started": "attempt {attempt} started",
    "lost": "attempt {attempt} was lost: {reason}; it is tried again",
    "retrying": "attempt {attempt} failed: {error}; it is tried again",
    "released": "attempt {attempt} was given back; it starts again soon",
    "cancel_requested": "it was asked to stop",
    "overdue": "attempt {attempt} was told to stop and has not yet",
}
"""What is said about events. That it was triggered, or has ended, is said by the command."""


class Watch:
    """Follows one run to its end."""

    def __init__(self, server: Server, run_id: str, timeout: float | None, *, as_lines: bool) -> None:
        self._server = server
        self._run_id = run_id
        self._timeout = timeout
        self._deadline = None if timeout is None else monotonic() + timeout
        self._as_lines = as_lines
        self._after: int | None = None

    def until_it_ends(self, after: int | None) -> Run:
        """Show what happens to the run, from the event `after` on, and return it once it has ended.

        Ctrl-C asks whether to cancel the run, to leave it or to go on; where nobody can be asked, it leaves it.
        """
        self._after = after
        run = self._server.client.jobs.view(self._run_id)
        while True:
            try:
                if not run.ended or self._as_lines or self._after is not None:
                    self._follow(run)
                return self._server.client.jobs.view(self._run_id)
            except TimeoutError:
                raise TawnyError(
                    f"The run is not over after {show.span(self._timeout or 0)}, and goes on: "
                    f"`tawny jobs watch {self._run_id}` follows it further."
                ) from None
            except KeyboardInterrupt:
                self._do(_ask_what_to_do())
            run = self._server.client.jobs.view(self._run_id)

    def _do(self, choice: Choice) -> None:
        if choice == "leave":
            say(f"The run goes on: `tawny jobs watch {self._run_id}` follows it again.")
            raise KeyboardInterrupt
        if choice == "cancel":
            self._server.client.jobs.cancel(self._run_id, include_pending=True)

    def _follow(self, run: Run) -> None:
        left = None if self._deadline is None else max(self._deadline - monotonic(), 0)
        events = self._server.client.jobs.follow(self._run_id, after=self._after, timeout=left)
        with self._screen(run) as screen, closing(events):
            for event in events:
                self._after = event.seq or self._after
                screen.show(event)

    def _screen(self, run: Run) -> _Screen:
        if self._as_lines:
            return _Json()
        return _Bar(run) if show.console(stderr=True).is_terminal else _Plain()


def _ask_what_to_do() -> Choice:
    if not show.interactive():
        return "leave"
    try:
        answer = show.ask("\nCancel the run (c), leave it running (l), or go on watching (w)?", "l").lower()
    except (KeyboardInterrupt, typer.Abort):
        say("")
        return "leave"
    return "cancel" if answer.startswith("c") else "watch" if answer.startswith("w") else "leave"


def sentence(event: Event) -> str | None:
    """What to tell people about an event, None for nothing."""
    said = _SENTENCES.get(event.kind)
    if said is None or (event.kind == "started" and event.attempt == 1):
        return None
    told = {"attempt": event.attempt, "reason": "its worker is gone", "error": "it raised"} | dict(event.data)
    return show.clean(said.format_map({name: str(value).rstrip(".") for name, value in told.items()}))


class _Screen(AbstractContextManager["_Screen"]):
    """Where events are shown."""

    def show(self, event: Event) -> None: ...

    def __exit__(self, *_: object) -> None: ...


class _Json(_Screen):
    """Each event on a line of stdout."""

    def show(self, event: Event) -> None:
        show.line(event)


class _Plain(_Screen):
    """A line for each fact, and for each tenth of the way."""

    def __init__(self) -> None:
        self._tenth = -1

    def show(self, event: Event) -> None:
        said = self._of_progress(event.data) if event.kind == "progress" else sentence(event)
        if said:
            say(said)

    def _of_progress(self, progress: Any) -> str | None:
        processed, total = progress["processed"], progress["total"]
        tenth = processed * 10 // total if total else -1
        if tenth <= self._tenth:
            return None
        self._tenth = tenth
        message = f"  {show.clean(progress['message'])}" if progress.get("message") else ""
        return f"{processed:,}/{total:,}{message}"


class _Bar(_Screen):
    """A bar with rate and time left, the newest message below it, and facts as lines above it."""

    def __init__(self, run: Run) -> None:
        from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TaskProgressColumn, TextColumn
        from rich.table import Column
        from rich.text import Text

        class Pace(ProgressColumn):
            """How many a second, and how long still."""

            def render(self, task: Any) -> Text:
                return Text(_pace(task.speed, task.time_remaining, task.elapsed), style="dim", no_wrap=True)

        class WithMessage(Progress):
            """The bar, and the message on a line of its own."""

            message = ""

            def get_renderables(self) -> Iterable[RenderableType]:
                yield self.make_tasks_table(self.tasks)
                yield Text(f"  {self.message}", style="dim", no_wrap=True, overflow="ellipsis")

        self._console = show.console(stderr=True)
        self._progress = WithMessage(
            SpinnerColumn("line"),
            TextColumn("{task.fields[status]}", style="cyan"),
            BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=6)),
            TaskProgressColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[count]}"),
            Pace(),
            console=self._console,
            expand=True,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task("", total=None, status=run.status, count="")
        if run.progress:
            self._update(run.progress)

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, event: Event) -> None:
        if event.kind == "progress":
            self._update(event.data)
            return
        said = sentence(event)
        if said:
            self._console.print(said, style="yellow")
        status = {"started": "running", "retrying": "pending", "lost": "pending", "released": "pending"}.get(event.kind)
        if event.kind == "cancel_requested":
            status = "stopping"
        if status:
            self._progress.update(self._task, status=status)

    def _update(self, progress: Any) -> None:
        processed, total = progress["processed"], progress["total"]
        self._progress.message = show.clean(progress.get("message") or "")
        count = f"{processed:,}/{total:,}" if total else f"{processed:,}"
        self._progress.update(self._task, completed=processed, total=total or None, count=count)


def _pace(speed: float | None, left: float | None, elapsed: float | None) -> str:
    rate = "" if not speed else f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.1f}/s"
    time = f"{show.span(left)} left" if left and left >= 1 else show.span(elapsed or 0)
    return f"{rate}  {time}" if rate else time
