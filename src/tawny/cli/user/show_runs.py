"""How runs, and what they log, look in a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tawny.cli.say import say
from tawny.cli.user import show
from tawny.cli.user.server import short

if TYPE_CHECKING:
    from tawny.client import Run


def table(runs: list[Run], slugs: dict[str, str], limit: int) -> None:
    console = show.console()
    wide = console.width >= show.WIDE
    columns: dict[str, Callable[[Run], Any]] = {
        "Run": lambda run: run.id if wide else short(run.id),
        "Type": lambda run: run.job_type,
        "Status": lambda run: show.status(run.status),
        "Progress": lambda run: _progress(run),
        "Made": lambda run: show.ago(run.created_at),
        "Took": lambda run: _took(run),
        "Project": lambda run: slugs.get(run.project_id or "", "-"),
    }
    show.table(
        list(columns),
        [[cell(run) for cell in columns.values()] for run in runs],
        to=console,
        cut=["Project", "Type"],
    )
    if len(runs) == limit:
        say(f"The newest {limit}; --limit shows more.")


def whole(run: Run, timeline: Any, project: str | None) -> None:
    console = show.console()
    show.facts(
        {
            "Run": run.id,
            "Type": run.job_type,
            "Status": show.status(run.status),
            "Project": f"{project} ({run.project_id})" if project else run.project_id,
            "Triggered by": run.triggered_by,
            "Made": show.moment(run.created_at),
            "Started": show.moment(run.started_at),
            "Ended": show.moment(run.completed_at),
            "Due": show.moment(timeline["due_at"]) if not run.ended else None,
            "Took": _took(run) if run.started_at else None,
            "Progress": _progress(run) if run.progress else None,
            "Message": run.progress.get("message") if run.progress else None,
            "Params": _json(run.params),
            "Result": _json(run.result),
            "Error": run.error,
            "Retry of": timeline["retry_of"],
            "Retried by": ", ".join(timeline["retried_by"]) or None,
        },
        to=console,
    )
    if len(timeline["attempts"]) > 1:
        console.print()
        show.table(
            ["Attempt", "Ended as", "Ran", "Worker", "Error"], map(_attempt, timeline["attempts"]), to=console, cut=["Error"]
        )


def end(run: Run) -> None:
    """How it ended on stderr, what came of it on stdout."""
    took = f" in {_took(run)}" if run.started_at else ""
    error = f": {show.clean_lines(run.error)}" if run.error else "."
    say(f"{run.job_type} {run.status}{took}{error}")
    if run.result is not None:
        print(show.clean_lines(_json(run.result)))


def line(console: Any, line: Any) -> None:
    from rich.text import Text

    fields = "".join(f" {show.clean(key)}={show.clean(value)}" for key, value in (line.fields or {}).items())
    text = Text.assemble(
        (f"{line.logged_at.astimezone():%H:%M:%S} ", "dim"),
        (f"{line.level:7} ", show.style(line.level)),
        show.clean_lines(line.message),
        (fields, "dim"),
    )
    console.print(text, soft_wrap=True)


def _progress(run: Run) -> str:
    if not run.progress:
        return "-"
    processed, total = run.progress["processed"], run.progress["total"]
    return f"{processed:,}/{total:,}" if total else f"{processed:,}"


def _took(run: Run) -> str:
    if run.started_at is None:
        return "-"
    return show.span(((run.completed_at or datetime.now(UTC)) - run.started_at).total_seconds())


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, indent=2, ensure_ascii=False)


def _attempt(attempt: dict[str, Any]) -> list[Any]:
    ran = attempt["ran_ms"]
    return [
        str(attempt["number"]),
        show.status(attempt["outcome"] or "running"),
        "-" if ran is None else show.span(ran / 1000),
        attempt["worker"] or "-",
        attempt["error"] or "-",
    ]
