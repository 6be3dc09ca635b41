"""SQL lives in files, is valid, and names its team."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

import tawny
from tawny.db.pool import Connection
from tawny.db.queries import Query, load
from tawny.history.error_groups_sql import all_error_groups_statements
from tawny.history.stats_sql import all_stats_statements
from tawny.runs.find import all_list_statements

SOURCE = Path(tawny.__file__).parent
ROOMS = sorted(path.parent for path in SOURCE.rglob("queries.sql"))
QUERIES = [(room.name, query) for room in ROOMS for query in load(str(room / "__init__.py")).all.values()]


@pytest.mark.parametrize(("room", "query"), [pytest.param(*q, id=f"{q[0]}.{q[1].name}") for q in QUERIES])
def test_each_query_names_its_team_or_says_why_not(room: str, query: Query) -> None:
    names_team = re.search(r"\bteam_id\b", query.sql) or {"team_id", "team_ids"} & set(query.parameters)
    assert names_team or re.fullmatch(r"scope: system \(.{10,}\)", query.scope), (
        f"{room}.{query.name} neither names a team nor says `-- scope: system (why)`"
    )


def test_each_query_that_ends_runs_counts_them_and_leaves_notices() -> None:
    ending = {query.name for _, query in QUERIES if re.search(r"\bcompleted_at = ", query.sql)}
    counting = {query.name for _, query in QUERIES if "insert into run_totals" in query.sql}
    assert ending
    noticing = {query.name for _, query in QUERIES if "insert into notices" in query.sql}
    assert ending == counting == noticing


def test_each_query_that_changes_several_runs_has_locked_them_in_one_order() -> None:
    """A query that reaches runs by lists locks them by id, or steps over what is locked, or says that `hold` comes first."""
    texts = {path.parent.name: path.read_text() for path in SOURCE.rglob("queries.sql")}
    locking = re.compile(r"order by r\.id\n +for update( of r)?\n|for update skip locked")
    for room, query in QUERIES:
        if "update job_runs" in query.sql and not locking.search(query.sql):
            about = texts[room].partition(f"-- name: {query.name}(")[2].partition("\nwith ")[0]
            assert "Call `hold` first" in about, f"{room}.{query.name} locks runs in whatever order its plan finds them"


def test_each_query_that_fills_several_places_or_slots_does_so_in_one_order() -> None:
    filling = {query.name: query.sql for _, query in QUERIES if re.search(r"unnest\(.*\bdo nothing", query.sql, re.DOTALL)}
    del filling["flush"]  # log lines of runs that it has locked
    assert set(filling) == {"trigger_many", "trigger_scheduled", "set_places"}
    for name, sql in filling.items():
        assert re.search(r"order by .*\n *on conflict", sql), name


async def test_each_query_is_valid_against_the_schema(conn: Connection) -> None:
    for _, query in QUERIES:
        await conn.prepare(query.sql)


async def test_each_combination_of_list_filters_is_valid_and_names_its_team(conn: Connection) -> None:
    for statement in all_list_statements().values():
        await conn.prepare(statement)
        assert "team_id = $1" in statement


async def test_each_combination_of_stats_filters_is_valid_and_names_its_team(conn: Connection) -> None:
    for statement in all_stats_statements().values():
        await conn.prepare(statement)
        assert statement.count("job_runs as r where r.team_id = $1") == statement.count("job_runs as r")


async def test_each_combination_of_error_filters_is_valid_and_names_its_team(conn: Connection) -> None:
    for statement in all_error_groups_statements().values():
        await conn.prepare(statement)
        assert "job_runs as r where r.team_id = $1" in statement
        assert "job_runs as e on e.id = s.newest_run_id and e.team_id = $1" in statement


def test_every_room_with_queries_was_looked_at() -> None:
    assert {"runs", "access", "history"} <= {room.name for room in ROOMS}


_SQL = re.compile(r"\b(select\s.+\sfrom\s|insert\s+into\s|update\s+\w+\s+set\s|delete\s+from\s)", re.IGNORECASE | re.DOTALL)
# The migrations' own bookkeeping, the fragments of the list, of the stats and of the errors, and a launcher that has no room.
_ALLOWED = {"db/migrate.py", "runs/find.py", "history/stats_sql.py", "history/error_groups_sql.py"}


def test_no_sql_stands_in_python_files() -> None:
    found = []
    for path in SOURCE.rglob("*.py"):
        name = path.relative_to(SOURCE).as_posix()
        if name not in _ALLOWED:
            found += [f"{name}:{text.lineno}" for text in _texts(path) if _SQL.search(text.value)]
    assert found == []


def _texts(path: Path) -> list[ast.Constant]:
    tree = ast.parse(path.read_text())
    docs = {id(node.body[0].value) for node in ast.walk(tree) if _has_docstring(node)}
    return [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in docs]


def _has_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and ast.get_docstring(node) is not None
    )


def test_rooms_import_without_a_database() -> None:
    for room in ROOMS:
        importlib.import_module(".".join(("tawny", *room.relative_to(SOURCE).parts)))
