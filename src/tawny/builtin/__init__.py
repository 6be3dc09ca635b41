"""The room of the server's own job types, which every worker executes besides those of the author's app."""

from __future__ import annotations

from collections.abc import Mapping

from tawny.builtin.act import bulk_job
from tawny.builtin.bulk import BULK, Action, Asked, ask
from tawny.builtin.clean_up import CLEAN_UP, clean_up_job
from tawny.builtin.notification_clean_up import NOTIFICATION_CLEAN_UP, notification_clean_up_job
from tawny.builtin.retention import RETENTION, retention_job
from tawny.config import Settings
from tawny.jobs import Job

__all__ = ["BULK", "CLEAN_UP", "NOTIFICATION_CLEAN_UP", "RETENTION", "Action", "Asked", "ask", "jobs_beside"]


def jobs_beside(jobs: Mapping[str, Job], settings: Settings) -> dict[str, Job]:
    """The server's own job types, for an app with these."""
    own = (
        bulk_job(jobs, notify=settings.notify),
        retention_job(settings.run_retention_days, settings.log_retention_days),
        clean_up_job(),
        notification_clean_up_job(),
    )
    return {job.name: job for job in own}
