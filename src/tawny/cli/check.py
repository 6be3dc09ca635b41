"""`tawny check`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from tawny.cli.options import App, DataDir, load_settings
from tawny.errors import SettingsError, TawnyError

if TYPE_CHECKING:
    from tawny.config import Settings

Finding = tuple[bool, str, str]
"""Whether it is well, what it is, and what was found."""


def check(data_dir: DataDir = None, app: App = None) -> None:
    """Show the settings, and whether the app, the state folder and the database are fit to start with."""
    settings = load_settings(data_dir=data_dir, app=app)
    _print_settings(settings)
    findings = [*_app(settings), *_folder(settings), *_keys(settings), *_database(settings)]
    for well, subject, found in findings:
        print(f"{'ok  ' if well else 'BAD '} {subject}: {found}")
    if not all(well for well, _, _ in findings):
        print("Mend what is marked BAD, then run `tawny check` again.")
        raise typer.Exit(1)
    print("All is well; `tawny serve` starts the server.")


def _print_settings(settings: Settings) -> None:
    shown = settings.masked()
    for name, value in shown.items():
        print(f"{name:{max(map(len, shown))}}  {value}  ({settings.source(name)})")
    print()


def _app(settings: Settings) -> Iterator[Finding]:
    from tawny.jobs.load import load_app

    try:
        jobs = load_app(settings.app).jobs
    except TawnyError as error:
        yield False, "app", str(error)
    else:
        yield True, "app", f"{settings.app}, job types: {', '.join(sorted(jobs)) or 'none yet'}"


def _folder(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    if not folder.exists():
        yield True, "state folder", f"{folder}, made at the first start"
    elif not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield (
            False,
            "state folder",
            f"{folder} is not a folder that this user may write to: run as its owner, or choose another one.",
        )
    else:
        yield True, "state folder", str(folder)


def _keys(settings: Settings) -> Iterator[Finding]:
    from tawny.integrations import load_keyring

    try:
        ring = load_keyring(settings.data_dir, settings.encryption_keys)
    except TawnyError as error:
        yield False, "encryption keys", str(error)
    else:
        yield True, "encryption keys", ", ".join(ring.key_ids) if ring else "made at the first start"


def _database(settings: Settings) -> Iterator[Finding]:
    from tawny.cli import database
    from tawny.db.embedded.place import Place

    if settings.database_url is None and not Place(settings.data_dir).data.exists():
        yield True, "database", "embedded, made at the first start"
        return
    try:
        with database.borrowed(settings) as url:
            yield asyncio.run(_ask(url))
            yield from _credentials(settings, url)
    except TawnyError as error:
        yield False, "database", str(error)


def _credentials(settings: Settings, url: str) -> Iterator[Finding]:
    from tawny.cli.credentials import missing_keys
    from tawny.integrations import load_keyring

    with suppress(SettingsError):  # `_keys` has told it
        missing = asyncio.run(missing_keys(url, load_keyring(settings.data_dir, settings.encryption_keys)))
        for sentence in missing:
            yield False, "credentials", sentence
        if not missing:
            yield True, "credentials", "the keys that they need are there"


async def _ask(url: str) -> Finding:
    from tawny.cli import database
    from tawny.db.migrate import require_schema

    async with database.connection(url) as conn:
        await require_schema(conn)
        version = conn.get_server_version()
    return True, "database", f"PostgreSQL {version.major}.{version.minor}, schema up to date"
