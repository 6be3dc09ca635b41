"""What `tawny` offers, what it costs to import, and that an author's module type-checks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tawny

AS_AN_AUTHOR_WRITES = """
from collections.abc import AsyncIterator
from typing import Any, NoReturn, TypedDict
from uuid import UUID

import asyncpg
from tawny import JobFailed, Run, Tawny

app = Tawny()


async def load_invoices(project_id: UUID | None, month: str) -> list[str]:
    return []


async def export(row: str) -> None: ...


async def stream() -> AsyncIterator[int]:
    yield 1


class Census(TypedDict):
    files: int


@app.job("invoice_export", label="Invoice export", retries=3, timeout="1h")
async def invoice_export(run: Run, month: str, dry_run: bool = False) -> dict[str, int]:
    rows = await load_invoices(run.project_id, month)
    for row in run.track(rows, message="Exported {processed} of {total}"):
        await export(row)
    async for number in run.track(stream()):
        await run.checkpoint({"next": number + 1})
    return {"exported": len(rows)}


@app.system_job("run_retention", label="Run retention", cron="0 2 * * *")
def run_retention(run: Run) -> dict[str, Any]:
    run.checkpoint([1])
    return {}


@app.job("nothing")
def nothing(run: Run, **params: object) -> None: ...


@app.job("fails", unique_by=("month",), concurrency=1, isolate="process")
def fails(run: Run, month: str) -> NoReturn:
    raise JobFailed("no", result={"a": 1}, retry=True)


@app.job("census")
def census(run: Run) -> Census:
    return {"files": 1}


@app.job("writes")
async def writes(run: Run, months: list[str]) -> None:
    run.log.info("Writing", months=len(months))
    async with run.transaction() as tx:
        await tx.executemany("insert into exported (month) values ($1)", [(month,) for month in months])
        already: int = await tx.fetchval("select count(*) from exported")
        rows = await tx.fetch("select month from exported limit $1", already)
        tx.checkpoint({"months": [row["month"] for row in rows]})
        await tx.checkpoint(1)


async def order(conn: asyncpg.Connection, pool: asyncpg.Pool, team_id: UUID) -> UUID:
    async with pool.acquire() as other, other.transaction():
        await app.trigger(other, "nothing", team_id=str(team_id), project_id=team_id, user_id=team_id, notify=True)
    return await app.trigger(conn, "invoice_export", team_id=team_id, project_id=team_id, params={"month": "2026-02"})


async def tested(run: Run) -> int:
    return (await invoice_export(run, "2026-02", dry_run=True))["exported"]
"""

WRONG = {
    "returns_a_list": "@app.job('wrong')\ndef handler(run: Run) -> list[int]: return []",
    "takes_no_run": "@app.job('wrong')\ndef handler(month: str) -> None: ...",
    "has_an_unknown_option": "@app.job('wrong', retrys=3)\ndef handler(run: Run) -> None: ...",
    "triggers_for_no_team": "async def order(conn: asyncpg.Connection) -> None:\n    await app.trigger(conn, 'x')",
    "tracks_async_items_plainly": "async def handler(run: Run, it: AsyncIterator[int]) -> None:\n    for _ in run.track(it): ...",
}


def test_the_public_surface() -> None:
    names = "DefinitionError JobFailed LeaseLost Run RunCancelled RunTimedOut Tawny TawnyError Transaction __version__"
    assert tawny.__all__ == names.split()
    assert all(getattr(tawny, name) for name in tawny.__all__)
    assert dir(tawny) == tawny.__all__
    with pytest.raises(AttributeError, match="has no attribute 'Tawney'"):
        tawny.Tawney  # noqa: B018


def test_importing_tawny_and_its_errors_loads_nothing_heavy() -> None:
    heavy = ("pydantic", "asyncio", "asyncpg", "fastapi", "importlib.metadata", "tawny.jobs")
    program = f"import sys, tawny, tawny.errors; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout == "[]\n"


def test_what_authors_import_loads_no_web_stack_and_no_database() -> None:
    program = "import sys\nfrom tawny import Run, Tawny\nprint([n for n in ('asyncpg', 'fastapi', 'typer') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.walk
def test_an_authors_module_passes_mypy_strict_and_wrong_ones_do_not(tmp_path: Path) -> None:
    (tmp_path / "author.py").write_text(AS_AN_AUTHOR_WRITES)
    for name, wrong in WRONG.items():
        imports = "import asyncpg\nfrom collections.abc import AsyncIterator\nfrom tawny import Run, Tawny\napp = Tawny()\n"
        (tmp_path / f"{name}.py").write_text(f"{imports}\n{wrong}\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir=cache", "."]
    told = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True).stdout
    assert {line.split(".py:")[0] for line in told.splitlines() if ": error:" in line} == WRONG.keys(), told
