"""The server's own secret, which signs what users sign in with."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tawny.errors import SettingsError

if TYPE_CHECKING:
    from pydantic import SecretStr

SECRET_MINIMUM: Final = 32
_FILE: Final = "secret"


def require_strong(secret: bytes) -> bytes:
    """Return the secret; SettingsError when it is too short to sign with."""
    if len(secret) < SECRET_MINIMUM:
        raise SettingsError(
            f"The secret has {len(secret)} bytes and needs {SECRET_MINIMUM}: set TAWNY_SECRET to a longer one, "
            "for example the output of `openssl rand -hex 32`."
        )
    return secret


def load_or_make_secret(data_dir: Path, configured: SecretStr | None) -> bytes:
    """Return the configured secret, or else the one in the file `secret` of the state folder, which is made when there is none.

    Processes that start at once on one folder get the same secret. SettingsError when it is too short, or when the file can be
    read by every user of this machine.
    """
    if configured is not None:
        return require_strong(configured.get_secret_value().encode())
    path = data_dir / _FILE
    if not path.exists():
        write_once(path, secrets.token_urlsafe(48))
    secret = read_private(path)
    if len(secret) < SECRET_MINIMUM:
        raise SettingsError(f"{path} is damaged: delete it and start again (every user signs in anew).")
    return secret


def read_private(path: Path) -> bytes:
    """Return what is in a file of ours without outer spaces; SettingsError when every user of this machine can read it."""
    if path.stat().st_mode & 0o007:
        raise SettingsError(
            f"{path} can be read by every user of this machine: run `chmod 600 {path}`, or delete it and start again."
        )
    return path.read_bytes().strip()


def write_once(path: Path, text: str) -> None:
    """Put a text at `path`, for this user only, whole and at once, unless another process was faster."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write(draft, text)
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was faster, and its text is the one
    finally:
        draft.unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
