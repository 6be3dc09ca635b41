"""The app that Tawny serves until there is yours: one job of real work, and one of the server itself."""

from __future__ import annotations

import ast
import heapq
import os
import platform
import sysconfig
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

import tawny
from tawny import JobFailed, Run, Tawny

app = Tawny()

CHECKPOINT_EVERY = 200
"""Files between two checkpoints."""

# Installed packages are not the library, and newer Pythons have dropped the other two: the census is much the same everywhere.
_NOT_THE_LIBRARY = frozenset({"site-packages", "dist-packages", "distutils", "lib2to3"})
_LARGEST_FILE = 5 * 1024 * 1024
_STEP = 0.05
_SOURCE = "<census>"


@dataclass
class Census:
    """What was counted up to and with the file `after`; a checkpoint is this as a dict."""

    files: int = 0
    lines: int = 0
    functions: int = 0
    skipped: int = 0
    after: str = ""
    longest: list[list[Any]] = field(default_factory=list)
    """Of the ten longest functions: minus the lines, the file, the first line, the name. So they sort as they are shown."""

    def add(self, root: Path, path: str) -> None:
        """Count the file at this path below the root."""
        self.after = path
        source = _read(root / path)
        tree = None if source is None else _parse(source)
        if source is None or tree is None:
            self.skipped += 1
            return
        found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        self.files += 1
        self.lines += len(source.splitlines())
        self.functions += len(found)
        self.longest = heapq.nsmallest(10, self.longest + [[-_length(node), path, node.lineno, node.name] for node in found])

    def result(self) -> dict[str, Any]:
        longest = [{"name": name, "file": path, "lines": -length} for length, path, _, name in self.longest]
        counts = {"files": self.files, "lines": self.lines, "functions": self.functions, "skipped": self.skipped}
        return {**counts, "longest": longest}


@app.job("code_census", label="Code census")
def code_census(run: Run, folder: str | None = None, pause_ms: Annotated[int, Field(ge=0, le=1000)] = 0) -> dict[str, Any]:
    """Count the files, lines and functions of a Python source tree, and find its ten longest functions.

    By default the tree is Python's own standard library: about 1,600 files, or about 600 where Python was installed without its
    tests. Files that are not valid Python are skipped and counted as such; symbolic links are not followed.

    Args:
        folder: Another folder to count, in the one that the operator allows by TAWNY_CENSUS_ROOT; relative to that one.
        pause_ms: Milliseconds to wait after each file, so that there is something to watch.
    """
    root = _library() if folder is None else _allowed(folder)
    files = sorted(_sources(root, skip=_NOT_THE_LIBRARY if folder is None else frozenset()))
    census = Census(**(run.checkpointed or {}))
    # Found by path and not by number, so that a tree that changed meanwhile is not counted twice.
    done = sum(path <= census.after for path in files)
    run.progress(done, len(files))
    for processed, path in enumerate(files[done:], done + 1):
        run.check_cancelled()
        census.add(root, path)
        run.progress(processed, len(files), path)
        if processed % CHECKPOINT_EVERY == 0:
            run.checkpoint(asdict(census))
        _pause(run, pause_ms / 1000)
    return census.result()


@app.system_job("self_check", label="Self-check")
def self_check(run: Run) -> dict[str, str]:
    """Report what this server runs on."""
    return {"tawny": tawny.__version__, "python": platform.python_version(), "platform": platform.platform()}


def _pause(run: Run, seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        run.check_cancelled()
        time.sleep(min(left, _STEP))


def _library() -> Path:
    return Path(sysconfig.get_paths()["stdlib"]).resolve()


def _allowed(folder: str) -> Path:
    """The real path of a folder that may be read. All others get one answer, so that nobody can feel for what exists."""
    allowed = os.environ.get("TAWNY_CENSUS_ROOT")
    root = _real_folder(allowed) if allowed else None
    wanted = None if root is None else _real_folder(root / folder)
    if root is None or wanted is None or not wanted.is_relative_to(root):
        raise JobFailed("There is no such folder in the one that the operator allows by TAWNY_CENSUS_ROOT.")
    return wanted


def _real_folder(path: Path | str) -> Path | None:
    try:
        real = Path(path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):  # missing, not ours, too long, with a NUL, a circle of links
        return None
    return real if real.is_dir() else None


def _sources(root: Path, skip: frozenset[str]) -> Iterator[str]:
    """The regular `.py` files of a tree, as paths relative to it."""
    for entry in _entries(root):
        if entry.is_dir(follow_symlinks=False) and entry.name not in skip:
            yield from (f"{entry.name}/{path}" for path in _sources(root / entry.name, skip))
        elif entry.name.endswith(".py") and entry.is_file(follow_symlinks=False):
            yield entry.name


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # gone meanwhile, or not ours to read
        return []


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            source = file.read(_LARGEST_FILE + 1)
    except OSError:
        return None
    return source if len(source) <= _LARGEST_FILE else None


def _parse(source: bytes) -> ast.Module | None:
    # Parsing warns about doubtful escapes, which are the tree's business and not the server's log's.
    warnings.filterwarnings("ignore", module=_SOURCE)
    try:
        return ast.parse(source, filename=_SOURCE)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last is the parser's own limit of nesting
        return None


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1
