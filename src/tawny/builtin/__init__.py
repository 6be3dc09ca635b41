"""The room of the server's own job types, which every worker executes besides those of the author's app."""

from __future__ import annotations

from collections.abc import Mapping

from tawny.builtin.act import bulk_job
from tawny.builtin.bulk import BULK, Action, Asked, ask
from tawny.builtin.clean_up import CLEAN_UP, clean_up_job
from tawny.builtin.notification_clean_up import NOTIFICATION_CLEAN_UP, notification_clean_up_job
from tawny.builtin.retention import RETENTION, retention_job
from tawny.builtin.sync_all import SYNC_ALL, sync_all_job
from tawny.config import Settings
from tawny.integrations.revenuecat import RevenueCat, sync_job
from tawny.jobs import Job

__all__ = [
    "BULK",
    "CLEAN_UP",
    "NOTIFICATION_CLEAN_UP",
    "RETENTION",
    "SYNC_ALL",
    "Action",
    "Asked",
    "ask",
    "jobs_beside",
    "offered",
]


def jobs_beside(jobs: Mapping[str, Job], settings: Settings, revenuecat: RevenueCat | None = None) -> dict[str, Job]:
    """The server's own job types, for an app with these; one that the app defines itself is left to the app.

    `revenuecat`: as this process reaches it, unless as `settings` say.
    """
    revenuecat = revenuecat or RevenueCat.of(settings)
    own = (
        bulk_job(offered(jobs, revenuecat), notify=settings.notify),
        retention_job(settings.run_retention_days, settings.log_retention_days),
        clean_up_job(),
        notification_clean_up_job(),
        sync_job(revenuecat),
        sync_all_job(offered(jobs, revenuecat), notify=settings.notify),
    )
    return {job.name: job for job in own if job.name not in jobs}


def offered(jobs: Mapping[str, Job], revenuecat: RevenueCat) -> dict[str, Job]:
    """What a server with this app can be asked for by name: the app's job types, and of the server's own those for projects."""
    own = (sync_job(revenuecat),)
    return {**jobs, **{job.name: job for job in own if job.name not in jobs}}
