"""Delete what was delivered long ago."""

from __future__ import annotations

from typing import Any, Final

from tawny import notifications
from tawny.builtin.batches import ROWS, delete_all
from tawny.db.pool import Connection
from tawny.jobs import Job, Options, Run, define

NOTIFICATION_CLEAN_UP: Final = "tawny.notification_clean_up"

_RETRIES: Final = 10


def notification_clean_up_job() -> Job:
    """The job type that deletes old deliveries."""

    async def notification_clean_up(run: Run) -> dict[str, Any]:
        """Delete deliveries that ended long ago."""
        return {"deliveries": await delete_all(run, _batch)}

    label = "Clean-up of notifications"
    options = Options(name=NOTIFICATION_CLEAN_UP, label=label, scope="system", cron="0 6 * * *", retries=_RETRIES, builtin=True)
    return define(notification_clean_up, options)


async def _batch(conn: Connection) -> dict[str, int]:
    return {"gone": await notifications.forget_deliveries(conn, at_most=ROWS)}
