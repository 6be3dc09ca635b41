"""Tawny: background jobs your users can see.

What a job author imports. The errors cost nothing to import; the rest is loaded when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tawny.errors import DefinitionError, JobFailed, LeaseLost, RunCancelled, RunTimedOut, TawnyError

if TYPE_CHECKING:
    from tawny.app import Tawny
    from tawny.jobs.run import Run
    from tawny.jobs.transaction import Transaction

    __version__: str

__all__ = [
    "DefinitionError",
    "JobFailed",
    "LeaseLost",
    "Run",
    "RunCancelled",
    "RunTimedOut",
    "Tawny",
    "TawnyError",
    "Transaction",
    "__version__",
]

_LAZY = {"Tawny": "tawny.app", "Run": "tawny.jobs.run", "Transaction": "tawny.jobs.transaction"}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("tawny")
    elif name in _LAZY:
        value = getattr(import_module(_LAZY[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
