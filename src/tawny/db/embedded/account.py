"""Choose the user that PostgreSQL runs as: it refuses to be root."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from tawny.errors import StartError

_CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """The user and group that root becomes for PostgreSQL."""

    uid: int
    gid: int


def choose_account(data: Path) -> Account | None:
    """The account to drop to, or None if this process is not root and PostgreSQL runs as whoever it is.

    The owner of an existing data folder stays its owner. StartError if this process could not run the folder as that owner.
    """
    if os.geteuid() != 0:
        _require_own(data)
        return None
    return _owner(data) if data.exists() else _candidate()


def _require_own(data: Path) -> None:
    if data.exists() and data.stat().st_uid != os.geteuid():
        raise StartError(f"{data} belongs to user {data.stat().st_uid}: start Tawny as that user, or choose another --data-dir.")


def _owner(data: Path) -> Account:
    status = data.stat()
    if status.st_uid == 0:
        raise StartError(
            f"{data} belongs to root, as which PostgreSQL does not run: give it back with `chown -R {_CANDIDATES[-1]} {data}`."
        )
    return Account(status.st_uid, status.st_gid)


def _candidate() -> Account:
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise StartError(
        "PostgreSQL does not run as root and this machine has no user `postgres` or `nobody`: start Tawny as another user."
    )


def require_name(account: Account | None) -> None:
    """StartError if the user has no entry in the password file, which PostgreSQL looks up when it makes a new database."""
    uid = account.uid if account else os.geteuid()
    try:
        pwd.getpwuid(uid)
    except KeyError:
        raise StartError(
            f"User {uid} has no entry in /etc/passwd, which making the database needs: add one, or set TAWNY_DATABASE_URL."
        ) from None
