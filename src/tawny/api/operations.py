"""Every operation besides those on runs."""

from __future__ import annotations

from typing import Final

from tawny.api import (
    audit,
    counts,
    error_groups,
    integrations,
    invitations,
    keys,
    members,
    preferences,
    projects,
    revenuecat,
    schedules,
    sign_in,
    system_jobs,
    teams,
    webhooks,
    workers,
)

OPERATIONS: Final = (
    *sign_in.OPERATIONS,
    *teams.OPERATIONS,
    *projects.OPERATIONS,
    *schedules.OPERATIONS,
    *error_groups.OPERATIONS,
    *system_jobs.OPERATIONS,
    *integrations.OPERATIONS,
    *revenuecat.OPERATIONS,
    *keys.OPERATIONS,
    *members.OPERATIONS,
    *invitations.OPERATIONS,
    *preferences.OPERATIONS,
    *webhooks.OPERATIONS,
    *audit.OPERATIONS,
    *counts.OPERATIONS,
    *workers.OPERATIONS,
)
