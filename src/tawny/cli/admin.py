"""`tawny admin`: what the operator does on the host, whether a server is running or not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import UUID

import typer

from tawny.cli.options import App, DataDir, Json, load_settings

if TYPE_CHECKING:
    from tawny.config import Settings
    from tawny.db.pool import Connection

T = TypeVar("T")

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    help="What the operator does on this machine: teams, projects, keys, members, system runs, backups.",
)

Team = Annotated[UUID, typer.Option(metavar="ID", help="The team.")]
Permissions = Annotated[
    list[str],
    typer.Option(metavar="P", help="What the key may do, such as jobs:read. Give it once for each, or with commas between."),
]
ExpiresIn = Annotated[
    str | None, typer.Option(metavar="1h", help="How long the key is good: 30m, 1h, 7d. For ever unless given.")
]

KEYS_APART = "Not in it are the encryption keys and the secret: keep those too, somewhere else."


@app.command()
def create_team(
    name: str,
    owner: Annotated[str, typer.Option(metavar="EMAIL", help="Who owns the team; the user is made when there is none.")],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Make a team with its owner."""
    from tawny import access

    settings = load_settings(data_dir=data_dir)
    host = access.Actor.host()
    team = _do(settings, lambda conn: access.create_team(conn, host, name=name, owner_email=owner))
    _report(
        as_json,
        f"Made the team {team.slug}. Next: `tawny admin create-project SLUG --team {team.team_id}`.",
        team_id=team.team_id,
        user_id=team.user_id,
    )


@app.command()
def create_project(
    slug: str,
    team: Team,
    name: Annotated[str | None, typer.Option(help="What people call it; the slug unless given.")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Make a project in a team."""
    from tawny import access

    settings = load_settings(data_dir=data_dir)
    host = access.Actor.host()
    project = _do(settings, lambda conn: access.create_project(conn, host, team, name=name or slug, slug=slug))
    _report(
        as_json,
        f"Made the project {slug}. Next: `tawny admin create-key --team {team} --permission jobs:write`.",
        team_id=team,
        project_id=project.id,
    )


@app.command()
def create_key(
    team: Team,
    permission: Permissions,
    name: Annotated[str, typer.Option(help="What people call it.")] = "Made on the host",
    expires_in: ExpiresIn = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Make an agent key. It is shown once."""
    from tawny import access

    permissions = [word.strip() for words in permission for word in words.split(",")]
    expires_at = datetime.now(UTC) + _lifetime(expires_in) if expires_in else None
    settings = load_settings(data_dir=data_dir)
    host = access.Actor.host()
    key, text = _do(
        settings,
        lambda conn: access.create_key(conn, host, team, name=name, permissions=permissions, expires_at=expires_at),
    )
    _report(
        as_json,
        "Made a key, which is shown only now. Next: send it as `Authorization: Bearer …` with every request.",
        team_id=team,
        key_id=key.id,
        api_key=text,
    )


@app.command()
def add_member(
    email: str,
    team: Team,
    role: Annotated[str, typer.Option(metavar="R", help="owner, admin or member.")],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Make somebody a member of a team."""
    from tawny import access

    if role not in access.ROLES:
        raise typer.BadParameter(f"a role is one of {', '.join(access.ROLES)}.", param_hint="--role")
    settings = load_settings(data_dir=data_dir)
    host = access.Actor.host()
    user_id = _do(settings, lambda conn: access.add_member(conn, host, team, email=email, role=role))
    _report(
        as_json,
        f"Added {email} as {role}. Next: `tawny admin token {email}` makes a token to sign in with.",
        team_id=team,
        user_id=user_id,
    )


@app.command()
def token(email: str, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Make a token with which a user, who is made when there is none, is signed in for 7 days."""
    from tawny import access

    settings = load_settings(data_dir=data_dir)
    secret = access.load_or_make_secret(settings.data_dir, settings.secret)
    user_id, text = _do(settings, lambda conn: access.make_token(conn, access.Actor.host(), secret, email))
    _report(
        as_json,
        "Made a token, good for 7 days. Next: send it as `Authorization: Bearer …` with every request.",
        user_id=user_id,
        token=text,
    )


@app.command()
def reencrypt(data_dir: DataDir = None, as_json: Json = False) -> None:
    """Encrypt stored credentials anew under the first encryption key, so that the others may be taken away."""
    from tawny import access, integrations, notifications

    settings = load_settings(data_dir=data_dir)
    host, keyring = access.Actor.host(), integrations.load_or_make_keyring(settings.data_dir, settings.encryption_keys)
    changed = _do(settings, lambda conn: integrations.reencrypt(conn, host, keyring))
    changed += _do(settings, lambda conn: notifications.reencrypt(conn, host, keyring))
    _report(as_json, "Everything is under the first key now. Next: take the other keys away.", reencrypted=changed)


@app.command()
def run_system(
    job_type: Annotated[str, typer.Argument(metavar="TYPE", help="A system job, of the app or the server's own.")],
    app: App = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Ask for a run of a system job."""
    from tawny import access, runs
    from tawny.builtin import jobs_beside
    from tawny.jobs.load import load_app

    settings = load_settings(data_dir=data_dir, app=app)
    loaded = load_app(settings.app).jobs
    jobs = {**loaded, **jobs_beside(loaded, settings)}
    if job_type not in jobs:
        offered = ", ".join(sorted(name for name, job in jobs.items() if job.scope == "system"))
        raise typer.BadParameter(f"there is no job type {job_type!r}; these are system jobs: {offered}.", param_hint="TYPE")
    host = access.Actor.host()
    run = _do(settings, lambda conn: runs.trigger_system(conn, host, jobs[job_type]))
    _report(as_json, "Asked for the run. Next: a worker starts it; `tawny serve` or `tawny work` must be running.", run_id=run.id)


@app.command()
def system_runs(
    job_type: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Only runs of this system job.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 20,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """List runs of system jobs, the newest first. No team sees them."""
    from tawny import access, runs

    settings = load_settings(data_dir=data_dir)
    host = access.Actor.host()
    page = _do(settings, lambda conn: runs.list_system_runs(conn, host, limit=limit, job_type=job_type))
    found = [json.loads(run) for run in page.runs]
    if as_json:
        print(json.dumps({"job_runs": found}))
        return
    for run in found:
        print(f"{run['created_at']}  {run['status']:9}  {run['job_type']:24}  {run['id']}  {run['error'] or ''}".rstrip())
    if not found:
        print("No system job has run yet. Next: `tawny admin run-system TYPE` asks for a run.")


@app.command()
def deliveries(data_dir: DataDir = None, as_json: Json = False) -> None:
    """Show how many mails and posts to webhooks wait, since when, and why."""
    from tawny.cli.deliveries import look, told

    found = _do(load_settings(data_dir=data_dir), look)
    print(json.dumps(found) if as_json else told(found))


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; it must not be there yet.")],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Write all that the database holds into one file, while servers and workers go on."""
    from tawny.cli.backup import back_up

    size = back_up(load_settings(data_dir=data_dir), file)
    _report(as_json, f"Next: `tawny admin restore {file}` fills an empty database from it. {KEYS_APART}", file=file, bytes=size)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `tawny admin backup` wrote.")],
    data_dir: DataDir = None,
) -> None:
    """Fill an empty database from a backup. Runs that were under way go on when a worker starts."""
    from tawny.cli.backup import restore as fill

    for sentence in fill(load_settings(data_dir=data_dir), file):
        print(f"To do: {sentence}.")
    print("Restored. Next: `tawny serve` starts the server; what was under way goes on from its checkpoints.")


def _lifetime(text: str) -> timedelta:
    from tawny.config import duration

    try:
        return timedelta(seconds=duration(text))
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"it {error}.", param_hint="--expires-in") from None


def _do(settings: Settings, verb: Callable[[Connection], Awaitable[T]]) -> T:
    """Run one verb in a transaction on the database of a running server, or on one that is started for it."""
    from tawny.cli import database

    with database.borrowed(settings) as url:
        return asyncio.run(_in_transaction(url, verb))


async def _in_transaction(url: str, verb: Callable[[Connection], Awaitable[T]]) -> T:
    from tawny.cli import database
    from tawny.db.migrate import require_schema

    async with database.connection(url) as conn:
        await require_schema(conn)
        async with conn.transaction():
            return await verb(conn)


def _report(as_json: bool, sentence: str, **facts: object) -> None:
    """For programs one object; for people each fact on a line, and what to do next."""
    texts = {name: str(value) for name, value in facts.items()}
    if as_json:
        print(json.dumps(texts))
        return
    for name, text in texts.items():
        print(f"{name:10}  {text}")
    print(sentence)
