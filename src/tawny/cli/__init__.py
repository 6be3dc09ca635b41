"""The commands, and the only place that wires everything. What is heavy is imported when its command runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tawny.cli.overview import overview


def main() -> None:
    """Run the command that this process was started with, and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; `tawny.cli.root` says which there are."""
    first = arguments[0] if arguments else None
    if first == "--help":
        print(overview(), end="")
        return 0
    if first == "--version":
        import tawny

        print(f"tawny {tawny.__version__}")
        return 0
    from tawny.cli import root

    return root.run(arguments)
