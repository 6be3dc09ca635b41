"""What can be done in a team, and what it needs: the contract's table, a row for each operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

Role = Literal["member", "admin", "owner"]
Permission = Literal[
    "jobs:read",
    "jobs:write",
    "projects:read",
    "projects:write",
    "integrations:read",
    "integrations:write",
    "audit_logs:read",
    "system:read",
]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
"""From the lowest to the highest; each may do all that the ones before it may."""

PERMISSIONS: Final[tuple[Permission, ...]] = get_args(Permission)

HOST_PERMISSIONS: Final[frozenset[Permission]] = frozenset({"system:read"})
"""What only a key made on the host can have: it concerns runs of no team."""


@dataclass(frozen=True, slots=True)
class Operation:
    """Something an actor can ask for in a team.

    `permission` is what a key needs (None: no key may, only users), `role` the lowest role that a user, or a key's maker, needs.
    """

    name: str
    permission: Permission | None
    role: Role

    def allows(self, role: Role) -> bool:
        """Whether this role is high enough."""
        return _RANK[role] >= _RANK[self.role]


_RANK: Final[dict[Role, int]] = {role: rank for rank, role in enumerate(ROLES)}

LIST_RUNS: Final = Operation("list_runs", "jobs:read", "admin")
TRIGGER_RUN: Final = Operation("trigger_run", "jobs:write", "admin")
VIEW_RUN: Final = Operation("view_run", "jobs:read", "member")
CANCEL_RUN: Final = Operation("cancel_run", "jobs:write", "member")
LIST_JOB_TYPES: Final = Operation("list_job_types", "jobs:read", "member")
VIEW_SCHEDULES: Final = Operation("view_schedules", "jobs:read", "admin")
WRITE_SCHEDULES: Final = Operation("write_schedules", "jobs:write", "admin")
VIEW_PROJECTS: Final = Operation("view_projects", "projects:read", "member")
WRITE_PROJECTS: Final = Operation("write_projects", "projects:write", "admin")
VIEW_INTEGRATIONS: Final = Operation("view_integrations", "integrations:read", "member")
VIEW_SUBSCRIBERS: Final = Operation("view_subscribers", "integrations:read", "admin")
WRITE_INTEGRATIONS: Final = Operation("write_integrations", "integrations:write", "admin")
WRITE_KEYS: Final = Operation("write_keys", None, "admin")
VIEW_MEMBERS: Final = Operation("view_members", None, "member")
WRITE_MEMBERS: Final = Operation("write_members", None, "admin")
MAKE_OWNERS: Final = Operation("make_owners", None, "owner")
WRITE_NOTIFICATIONS: Final = Operation("write_notifications", None, "admin")
WRITE_OWN_PREFERENCES: Final = Operation("write_own_preferences", None, "member")
VIEW_AUDIT_LOG: Final = Operation("view_audit_log", "audit_logs:read", "admin")

# Collected, so that no row can be forgotten here.
OPERATIONS: Final = tuple(value for value in list(globals().values()) if isinstance(value, Operation))


def permissions_of(role: Role) -> frozenset[Permission]:
    """The permissions that are of any use to a key whose maker has this role."""
    return frozenset(row.permission for row in OPERATIONS if row.permission is not None and row.allows(role))
