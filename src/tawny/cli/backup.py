"""What `tawny admin backup` and `tawny admin restore` do: a whole database as one file, and back."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from time import sleep
from urllib.parse import unquote, urlsplit, urlunsplit

from tawny.cli import database
from tawny.cli.credentials import missing_keys
from tawny.cli.migrate import apply
from tawny.config import Settings
from tawny.db.embedded.binaries import find_binaries
from tawny.errors import StartError
from tawny.integrations import load_keyring

_LOOK = 0.5
"""Seconds between two looks at how large the file has become."""


def back_up(settings: Settings, file: Path) -> int:
    """Write all that the database held at one moment to `file`, for this user only, and return its size in bytes.

    Servers and workers go on meanwhile. The file is there whole or not at all. StartError when it is there already, and with
    what PostgreSQL says when it cannot be written.
    """
    if file.exists():
        raise StartError(f"{file} is there already: give another name, or move it away.")
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise StartError(f"{file} cannot be written: {error.strerror}.") from error
    try:
        with database.borrowed(settings) as url:
            _run("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--file={draft}", grows=draft)
        _keep(draft, file)
        return file.stat().st_size
    finally:
        draft.unlink(missing_ok=True)


def restore(settings: Settings, file: Path) -> list[str]:
    """Fill an empty database from `file`, bring it to the schema of this version, and return what is still to be seen to.

    All of it is restored or nothing. StartError when the database holds Tawny's tables, or when the file is no backup.
    """
    if not file.is_file():
        raise StartError(f"There is no file {file}.")
    with database.owned(settings) as found:
        asyncio.run(_require_empty(found.url))
        into = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
        _run("pg_restore", found.url, *into, str(file.absolute()))
        asyncio.run(apply(found.url))
        return asyncio.run(missing_keys(found.url, load_keyring(settings.data_dir, settings.encryption_keys)))


async def _require_empty(url: str) -> None:
    async with database.connection(url) as conn:
        if await conn.fetchval("select to_regclass('schema_migrations') is not null"):
            raise StartError(
                "This database holds a Tawny already, and restoring never deletes: "
                "name a new state folder with --data-dir, or an empty database with TAWNY_DATABASE_URL."
            )


def _run(program: str, url: str, *arguments: str, grows: Path | None = None) -> None:
    """Run a program of PostgreSQL's on a database. StartError with its reason when it fails."""
    address, environment = _without_password(url)
    command = [str(find_binaries() / program), f"--dbname={address}", "--no-password", *arguments]
    with subprocess.Popen(  # noqa: S603 (a program of our own wheel, and no shell)
        command, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            if grows is not None and sys.stderr.isatty():
                _show_size(process, grows)
            _, said = process.communicate()
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise StartError(f"PostgreSQL's {program} could not do it: {_reason(said)}")


def _show_size(process: subprocess.Popen[str], file: Path) -> None:
    while process.poll() is None:
        print(f"\r{file.stat().st_size / 1e6:,.1f} MB written …", end="", file=sys.stderr, flush=True)
        sleep(_LOOK)
    print("\r\033[K", end="", file=sys.stderr, flush=True)


def _without_password(url: str) -> tuple[str, dict[str, str]]:
    """The address, and an environment with the password: every user of a machine can read what programs are started with."""
    parts = urlsplit(url)
    account, at, host = parts.netloc.rpartition("@")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    if parts.password is not None:
        environment["PGPASSWORD"] = unquote(parts.password)
    return urlunsplit(parts._replace(netloc=f"{account.partition(':')[0]}{at}{host}")), environment


def _reason(said: str) -> str:
    """The first error of what it said: those behind it follow from that one."""
    found = re.search(r"error: (.*)", said)
    return f"{found[1]}." if found else "it did not say why."


def _keep(draft: Path, file: Path) -> None:
    """Give a finished file its name, once it is on the disk and unless there is one of that name by now."""
    descriptor = os.open(draft, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(draft, file)
    except FileExistsError:
        raise StartError(f"{file} is there by now, written by somebody else: give another name.") from None
