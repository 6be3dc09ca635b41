"""The room of the server's own job types, which every worker executes besides those of the author's app."""

from __future__ import annotations

from collections.abc import Mapping

from tawny.builtin.act import bulk_job
from tawny.builtin.bulk import BULK, Action, Asked, ask
from tawny.jobs import Job

__all__ = ["BULK", "Action", "Asked", "ask", "jobs_beside"]


def jobs_beside(jobs: Mapping[str, Job], *, notify: bool = True) -> dict[str, Job]:
    """The server's own job types, for an app with these. `notify`: whether workers are woken by NOTIFY."""
    own = (bulk_job(jobs, notify=notify),)
    return {job.name: job for job in own}
