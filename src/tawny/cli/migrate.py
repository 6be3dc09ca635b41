"""`tawny migrate`."""

from __future__ import annotations

import asyncio

from tawny.cli.options import DataDir, load_settings


def migrate(data_dir: DataDir = None) -> None:
    """Bring the database to the schema that this version needs. `tawny serve` does it by itself."""
    from tawny.cli import database

    settings = load_settings(data_dir=data_dir)
    with database.borrowed(settings) as url:
        applied = asyncio.run(apply(url))
    for name in applied:
        print(f"applied {name}")
    print("The schema is up to date; `tawny serve` starts the server.")


async def apply(url: str) -> list[str]:
    """Migrate the database at `url`, however long it takes, and return the names of what was applied."""
    from tawny.cli import database
    from tawny.db.migrate import migrate as apply_missing

    async with database.connection(url, timeout=None) as conn:
        return await apply_missing(conn)
