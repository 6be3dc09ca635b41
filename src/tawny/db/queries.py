"""SQL in files: `queries.sql` of each room, loaded by aiosql and called through asyncpg.

aiosql reads the file (names, parameters, comments); the call itself goes straight to asyncpg, because aiosql's own call costs
more than many of the statements it would run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import aiosql
from aiosql.types import SQLOperationType


class Query:
    """One named statement. Call it with a connection and its parameters by name.

    What comes back is said by the operator behind its name in the file: `^` one row or None, `$` one value, `!` the command's
    status, nothing: a list of rows.
    """

    __slots__ = ("_fetch", "name", "parameters", "scope", "sql")

    def __init__(self, name: str, sql: str, doc: str, operation: SQLOperationType, parameters: list[str]) -> None:
        self.name = name
        self.sql = sql
        self.scope = next((line for line in doc.splitlines() if line.startswith("scope:")), "")
        self.parameters = parameters
        self._fetch = _FETCH[operation]

    async def __call__(self, conn: Any, **values: Any) -> Any:
        if len(values) != len(self.parameters):
            raise TypeError(f"{self.name} takes {', '.join(self.parameters)}; given: {', '.join(values)}")
        return await getattr(conn, self._fetch)(self.sql, *[values[name] for name in self.parameters])


_FETCH = {
    SQLOperationType.SELECT: "fetch",
    SQLOperationType.SELECT_ONE: "fetchrow",
    SQLOperationType.SELECT_VALUE: "fetchval",
    SQLOperationType.INSERT_UPDATE_DELETE: "execute",
}


class Queries:
    """The statements of one room, by name."""

    def __init__(self, queries: Mapping[str, Query]) -> None:
        self.all = queries

    def __getattr__(self, name: str) -> Query:
        try:
            return self.all[name]
        except KeyError:
            raise AttributeError(f"no query is named {name!r}") from None


def load(room_file: str) -> Queries:
    """Load the `queries.sql` beside `room_file` (pass `__file__`)."""
    path = Path(room_file).with_name("queries.sql")
    loaded = aiosql.from_path(path, "asyncpg")
    order = cast("Any", loaded.driver_adapter).var_sorted
    return Queries({name: _query(getattr(loaded, name), order[name]) for name in _names(loaded)})


def _names(loaded: Any) -> list[str]:
    return [name for name in loaded.available_queries if not name.endswith("_cursor")]


def _query(function: Any, parameters: list[str]) -> Query:
    return Query(function.__name__, function.sql, function.__doc__ or "", function.operation, parameters)
