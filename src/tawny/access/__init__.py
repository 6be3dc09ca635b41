"""Who asks, for which team: users, keys, teams and projects, and what each actor may do."""

from typing import TYPE_CHECKING, Any

from tawny.access.actor import Actor
from tawny.access.keys import Key, create_key, revoke_key
from tawny.access.operations import (
    CANCEL_RUN,
    LIST_JOB_TYPES,
    LIST_RUNS,
    MAKE_OWNERS,
    OPERATIONS,
    PERMISSIONS,
    ROLES,
    TRIGGER_RUN,
    VIEW_AUDIT_LOG,
    VIEW_INTEGRATIONS,
    VIEW_MEMBERS,
    VIEW_PROJECTS,
    VIEW_RUN,
    VIEW_SCHEDULES,
    VIEW_SUBSCRIBERS,
    WRITE_INTEGRATIONS,
    WRITE_KEYS,
    WRITE_MEMBERS,
    WRITE_NOTIFICATIONS,
    WRITE_OWN_PREFERENCES,
    WRITE_PROJECTS,
    WRITE_SCHEDULES,
    Operation,
    Permission,
    Role,
    permissions_of,
)
from tawny.access.projects import Project, create_project, find_project, list_projects
from tawny.access.secret import load_or_make_secret
from tawny.access.teams import CreatedTeam, Team, add_member, create_team, list_teams
from tawny.access.users import User, ensure_user, find_user

if TYPE_CHECKING:
    from tawny.access.authenticate import Authenticator
    from tawny.access.tokens import issue_token, read_token

# Fetched when first used: they import PyJWT, and a worker, which reads no token, would wait for it at every start.
_LATER = {"Authenticator": "authenticate", "issue_token": "tokens", "read_token": "tokens"}

__all__ = [
    "CANCEL_RUN",
    "LIST_JOB_TYPES",
    "LIST_RUNS",
    "MAKE_OWNERS",
    "OPERATIONS",
    "PERMISSIONS",
    "ROLES",
    "TRIGGER_RUN",
    "VIEW_AUDIT_LOG",
    "VIEW_INTEGRATIONS",
    "VIEW_MEMBERS",
    "VIEW_PROJECTS",
    "VIEW_RUN",
    "VIEW_SCHEDULES",
    "VIEW_SUBSCRIBERS",
    "WRITE_INTEGRATIONS",
    "WRITE_KEYS",
    "WRITE_MEMBERS",
    "WRITE_NOTIFICATIONS",
    "WRITE_OWN_PREFERENCES",
    "WRITE_PROJECTS",
    "WRITE_SCHEDULES",
    "Actor",
    "Authenticator",
    "CreatedTeam",
    "Key",
    "Operation",
    "Permission",
    "Project",
    "Role",
    "Team",
    "User",
    "add_member",
    "create_key",
    "create_project",
    "create_team",
    "ensure_user",
    "find_project",
    "find_user",
    "issue_token",
    "list_projects",
    "list_teams",
    "load_or_make_secret",
    "permissions_of",
    "read_token",
    "revoke_key",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
