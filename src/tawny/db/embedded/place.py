"""Where everything of one state folder's database lies."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from tawny.db.embedded.account import Account
from tawny.errors import StartError

ROLE = DATABASE = "tawny"
PORT = 5432
_SOCKET = f".s.PGSQL.{PORT}"
_LONGEST_SOCKET_PATH = 107
_PLAIN = re.compile(r"[A-Za-z0-9_./@+~-]+")


@dataclass(frozen=True, slots=True)
class Place:
    """The paths of one state folder. `root` is absolute and without symbolic links, so that one folder has one name."""

    root: Path

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def log(self) -> Path:
        return self.root / "postgres.log"

    @property
    def private(self) -> Path:
        return self.root / "postgres"

    @property
    def data(self) -> Path:
        return self.private / "data"

    @property
    def unfinished(self) -> Path:
        """Where a new database is made; it becomes `data` only when it is complete."""
        return self.private / "data.unfinished"

    @property
    def announcement(self) -> Path:
        return self.root / "database.json"

    @property
    def socket_folder(self) -> Path:
        """The folder of the socket: always the same for one state folder, so that a client finds a restarted database again."""
        inside = self.private / "socket"
        return inside if _fits(inside) else self.short / "socket"

    @property
    def short(self) -> Path:
        """Stands in for `private` where that path is too long, or has signs that PostgreSQL or a URL would misread."""
        base = Path("/run") if os.access("/run", os.W_OK) else Path("/tmp")  # noqa: S108 (made 0700, and refused if it is another's)
        return base / f"tawny-{os.geteuid()}-{sha256(os.fsencode(self.root)).hexdigest()[:16]}"

    @property
    def socket(self) -> Path:
        return self.socket_folder / _SOCKET

    @property
    def url(self) -> str:
        """The database's address for asyncpg. The port is named, or PGPORT of the environment would change it."""
        return f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(self.socket_folder))}&port={PORT}"

    def announce(self) -> None:
        """Tell other processes where the database listens."""
        text = json.dumps({"url": self.url, "socket": str(self.socket), "pid": os.getpid()})
        unfinished = self.announcement.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
            file.write(text)
        unfinished.replace(self.announcement)

    def withdraw(self) -> None:
        self.announcement.unlink(missing_ok=True)


def _fits(folder: Path) -> bool:
    return bool(_PLAIN.fullmatch(str(folder))) and len(str(folder / _SOCKET)) <= _LONGEST_SOCKET_PATH


def make_place(data_dir: Path) -> Place:
    """Make the state folder, open to this user only, unless it is there already; then its modes and owner stay as they are."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = Place(data_dir.resolve(strict=True))
        place.private.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StartError(f"The state folder {data_dir} cannot be used ({error.strerror}): choose another --data-dir.") from error
    if not os.access(place.private, os.R_OK | os.W_OK | os.X_OK):
        raise StartError(f"{place.private} belongs to another user: start Tawny as that user, or choose another --data-dir.")
    return place


def make_socket_folder(place: Place, account: Account | None) -> None:
    """Make the socket's folder anew: what an earlier database left there names a pid that may be somebody else's by now."""
    folder = place.socket_folder
    if folder.parent == place.short:
        _make_short(place.short)
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
    make_for(folder, account)


def _make_short(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise StartError(f"{folder} is not a folder of this user alone: remove it, or choose a --data-dir with a shorter path.")


def remove_short(place: Place) -> None:
    if place.socket_folder.parent == place.short:
        shutil.rmtree(place.short, ignore_errors=True)


def make_for(folder: Path, account: Account | None) -> None:
    """Make a folder that only PostgreSQL's user may enter."""
    folder.mkdir(mode=0o700)
    if account:
        os.chown(folder, account.uid, account.gid, follow_symlinks=False)
