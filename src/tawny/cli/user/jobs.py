"""`tawny jobs`."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

import typer

from tawny.cli.say import say
from tawny.cli.user import options, show, show_runs
from tawny.cli.user.params import read_params
from tawny.cli.user.server import Server, connected, short

app = options.group("Trigger runs, watch them, list them, stop them.")

WATCHING = 60.0
"""Seconds for which a server may be away while somebody watches."""

Which = Annotated[str, typer.Argument(metavar="RUN", help="Its id, or the end of it that lists show.")]
JobType = Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Only of this job type.", show_default=False)]
Status = Annotated[
    str | None,
    typer.Option(metavar="STATUS", help="pending, running, completed, failed or cancelled.", show_default=False),
]
Since = Annotated[str | None, typer.Option(metavar="WHEN", help="From then on: 30m, 1h, 7d ago, or a date.", show_default=False)]
Until = Annotated[str | None, typer.Option(metavar="WHEN", help="Up to then.", show_default=False)]
Limit = Annotated[int, typer.Option(min=1, metavar="N", help="How many at most.")]
Wait = Annotated[bool, typer.Option("--wait", help="Watch it until it has ended.")]
Timeout = Annotated[
    str | None, typer.Option(metavar="10m", help="Watch for so long at most; the run goes on.", show_default=False)
]
Notify = Annotated[bool, typer.Option("--notify", help="Be mailed when it has ended.")]
Key = Annotated[
    str | None,
    typer.Option(metavar="K", help="Asked twice with the same key, there is one run.", show_default=False),
]
Lines = Annotated[bool, typer.Option("--json", help="Print one JSON object on each line and nothing else.")]


@app.command()
def types(profile: options.Profile = None, as_json: options.Json = False) -> None:
    """List what the server can run, and with which params.

    \b
    Example:
      tawny jobs types
    """
    with connected(profile) as server:
        found = server.get("/v1/job-types")["job_types"]
    if as_json:
        show.document(found)
        return
    mine = [job_type for job_type in found if job_type["scope"] == "project"]
    if not mine:
        say("This server has no job types that you could trigger. Its app defines them.")
        return
    rows = [(each["name"], _params_of(each["params_schema"]), _first_line(each)) for each in mine]
    show.table(["Type", "Params", "What it does"], rows, to=show.console(), cut=["What it does", "Params"])


def _params_of(schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    return " ".join(name if name in required else f"[{name}]" for name in schema.get("properties", {})) or "-"


def _first_line(job_type: dict[str, Any]) -> str:
    return str(job_type["description"] or job_type["label"]).partition("\n")[0]


@app.command("list")
def list_(
    status: Status = None,
    job_type: JobType = None,
    project: options.Project = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 20,
    team: options.Team = None,
    profile: options.Profile = None,
    as_json: options.Json = False,
) -> None:
    """List runs, newest first. They are of all the team's projects unless you name one.

    \b
    Example:
      tawny jobs list --status failed --since 7d
    """
    with connected(profile, team=team) as server:
        asked = {"status": status, "job_type": job_type, "since": since, "until": until}
        project_id = server.project_id(project) if project else None
        found = server.client.jobs.iter(team_id=server.team_id(), **asked, project_id=project_id, page=min(limit, 200))
        runs = list(islice(found, limit))
        slugs = {} if as_json or not runs else server.slugs()
    if as_json:
        show.document(runs)
    elif runs:
        show_runs.table(runs, slugs, limit)
    elif project or any(asked.values()):
        say("No run is like that.")
    else:
        say("No runs yet. Start one: tawny jobs trigger TYPE  (`tawny jobs types` lists them)")


@app.command()
def view(run: Which, team: options.Team = None, profile: options.Profile = None, as_json: options.Json = False) -> None:
    """Show all about a run. Also its attempts, if there was more than one.

    \b
    Example:
      tawny jobs view 3f9a2c1b
    """
    with connected(profile, team=team) as server:
        found = server.client.jobs.view(server.run_id(run))
        timeline = {} if as_json else server.client.jobs.timeline(found.id)
        project = None if as_json or found.project_id is None else server.slugs().get(found.project_id)
    if as_json:
        show.document(found)
        return
    show_runs.whole(found, timeline, project)


@app.command()
def trigger(
    job_type: Annotated[str, typer.Argument(metavar="TYPE", help="One of `tawny jobs types`.")],
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="K=V", help="A param: K=TEXT, or K:=JSON. Once for each.", show_default=False),
    ] = None,
    params: Annotated[
        str | None, typer.Option(metavar="@FILE|-", help="All params as a JSON object, from a file or stdin.", show_default=False)
    ] = None,
    project: options.Project = None,
    wait: Wait = False,
    timeout: Timeout = None,
    notify: Notify = False,
    idempotency_key: Key = None,
    team: options.Team = None,
    profile: options.Profile = None,
    as_json: options.Json = False,
) -> None:
    """Ask for a run. With --wait the exit code says how it ended: 0 completed, 1 failed or cancelled.

    \b
    Example:
      tawny jobs trigger code_census --param pause_ms=5 --wait
    """
    if timeout is not None and not wait:
        raise typer.BadParameter("it is about --wait, which is not given.", param_hint="--timeout")
    seconds = None if timeout is None else options.seconds(timeout, "--timeout")
    given = read_params(param or [], params)
    with connected(profile, team=team) as server:
        made = server.client.jobs.trigger(
            job_type,
            project_id=server.project_id(project),
            params=given,
            notify=notify or None,
            team_id=server.team_id(),
            idempotency_key=idempotency_key,
        )
    if wait:
        if not as_json:
            say(f"Triggered {made.job_type}: {made.id}")
        _watch(made.id, profile, team, seconds, as_json=as_json, after=0)
    elif as_json:
        show.document(made)
    else:
        print(made.id)
        say(f"Triggered {made.job_type}. Next: `tawny jobs watch {short(made.id)}` follows it.")


@app.command()
def watch(
    run: Which,
    timeout: Timeout = None,
    team: options.Team = None,
    profile: options.Profile = None,
    as_json: Lines = False,
) -> None:
    """Follow a run until it has ended. The exit code says how: 0 completed, 1 failed or cancelled.

    \b
    Example:
      tawny jobs watch 3f9a2c1b
    """
    seconds = None if timeout is None else options.seconds(timeout, "--timeout")
    _watch(run, profile, team, seconds, as_json=False, lines=as_json)


def _watch(
    run: str,
    profile: str | None,
    team: str | None,
    seconds: float | None,
    *,
    as_json: bool,
    lines: bool = False,
    after: int | None = None,
) -> None:
    from tawny.cli.user.watch import Watch

    with connected(profile, team=team, patience=WATCHING) as server:
        ended = Watch(server, server.run_id(run), seconds, as_lines=lines).until_it_ends(after)
    if as_json:
        show.document(ended)
    elif not lines:
        show_runs.end(ended)
    if ended.status != "completed":
        raise typer.Exit(1)


@app.command()
def cancel(
    run: Which,
    team: options.Team = None,
    profile: options.Profile = None,
) -> None:
    """Ask a run to stop. It ends as cancelled once its handler has stopped; a pending one at once.

    \b
    Example:
      tawny jobs cancel 3f9a2c1b
    """
    with connected(profile, team=team) as server:
        run_id = server.run_id(run)
        server.client.jobs.cancel(run_id, include_pending=True)
    say(f"Asked it to stop. Next: `tawny jobs watch {short(run_id)}` shows when it has.")


@app.command()
def retry(
    run: Which,
    wait: Wait = False,
    timeout: Timeout = None,
    idempotency_key: Key = None,
    team: options.Team = None,
    profile: options.Profile = None,
    as_json: options.Json = False,
) -> None:
    """Ask for what an ended run did once more, as a new run.

    \b
    Example:
      tawny jobs retry 3f9a2c1b --wait
    """
    seconds = None if timeout is None else options.seconds(timeout, "--timeout")
    with connected(profile, team=team) as server:
        made = server.client.jobs.retry(server.run_id(run), idempotency_key=idempotency_key)
    if wait:
        _watch(made.id, profile, team, seconds, as_json=as_json, after=0)
    elif as_json:
        show.document(made)
    else:
        print(made.id)
        say(f"Triggered {made.job_type} again. Next: `tawny jobs watch {short(made.id)}` follows it.")


@app.command()
def logs(
    run: Which,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the run has ended.")] = False,
    level: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="At least: debug, info, warning or error.", show_default=False)
    ] = None,
    team: options.Team = None,
    profile: options.Profile = None,
    as_json: Lines = False,
) -> None:
    """Show what a run's handler logged.

    \b
    Example:
      tawny jobs logs 3f9a2c1b --follow
    """
    with connected(profile, team=team, patience=WATCHING if follow else 5.0) as server:
        run_id = server.run_id(run)
        shown = _show_lines(server, run_id, follow, level, as_json)
    if not shown and not as_json:
        say("Nothing was logged." if not level else f"Nothing was logged at {level} or above.")


def _show_lines(server: Server, run_id: str, follow: bool, level: str | None, as_json: bool) -> int:
    from time import sleep

    console, after, shown = show.console(), 0, 0
    while True:
        ended = not follow or server.client.jobs.view(run_id).ended  # before the lines, so that none comes afterwards
        for line in server.client.jobs.logs(run_id, after=after, level=level):
            after, shown = line.seq, shown + 1
            if as_json:
                show.line(line)
            else:
                show_runs.line(console, line)
        if ended:
            return shown
        sleep(1)
