"""Who asks, for which team: users, keys, teams and projects, and what each actor may do."""

from typing import TYPE_CHECKING, Any

from tawny.access.actor import Actor
from tawny.access.audit import ACTIONS, RESOURCES, Action, Resource, Signature, differences, leave, signature_of
from tawny.access.audit_list import AuditFilter, AuditPage, list_audit
from tawny.access.email import check_email
from tawny.access.invitations import Invitation, accept, invite, list_invitations, my_invitations, withdraw
from tawny.access.keys import Key, create_key, list_keys, revoke_key
from tawny.access.limits import client_subject
from tawny.access.members import Member, add_member, list_members, remove_member, set_role
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
from tawny.access.projects import (
    Project,
    create_project,
    delete_project,
    find_project,
    find_project_for,
    list_projects,
    require_role_in_project,
    update_project,
)
from tawny.access.secret import load_or_make_secret
from tawny.access.teams import CreatedTeam, Team, create_team, list_teams
from tawny.access.users import User, ensure_user, find_user

if TYPE_CHECKING:
    from tawny.access.authenticate import Authenticator
    from tawny.access.links import follow_link, make_link
    from tawny.access.sessions import end_session, forget_sign_ins, make_token, open_session
    from tawny.access.sign_in import AgentSignedIn, Attempt, SignedIn, TeamRequired, agent_login, send_code, verify_code
    from tawny.access.tokens import issue_token, read_token

# Fetched when first used: they import PyJWT, and a worker, which reads no token, would wait for it at every start.
_LATER = {
    name: module
    for module, names in {
        "authenticate": ("Authenticator",),
        "links": ("follow_link", "make_link"),
        "sessions": ("end_session", "forget_sign_ins", "make_token", "open_session"),
        "sign_in": ("AgentSignedIn", "Attempt", "SignedIn", "TeamRequired", "agent_login", "send_code", "verify_code"),
        "tokens": ("issue_token", "read_token"),
    }.items()
    for name in names
}

__all__ = [
    "ACTIONS",
    "CANCEL_RUN",
    "LIST_JOB_TYPES",
    "LIST_RUNS",
    "MAKE_OWNERS",
    "OPERATIONS",
    "PERMISSIONS",
    "RESOURCES",
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
    "Action",
    "Actor",
    "AgentSignedIn",
    "Attempt",
    "AuditFilter",
    "AuditPage",
    "Authenticator",
    "CreatedTeam",
    "Invitation",
    "Key",
    "Member",
    "Operation",
    "Permission",
    "Project",
    "Resource",
    "Role",
    "Signature",
    "SignedIn",
    "Team",
    "TeamRequired",
    "User",
    "accept",
    "add_member",
    "agent_login",
    "check_email",
    "client_subject",
    "create_key",
    "create_project",
    "create_team",
    "delete_project",
    "differences",
    "end_session",
    "ensure_user",
    "find_project",
    "find_project_for",
    "find_user",
    "follow_link",
    "forget_sign_ins",
    "invite",
    "issue_token",
    "leave",
    "list_audit",
    "list_invitations",
    "list_keys",
    "list_members",
    "list_projects",
    "list_teams",
    "load_or_make_secret",
    "make_link",
    "make_token",
    "my_invitations",
    "open_session",
    "permissions_of",
    "read_token",
    "remove_member",
    "require_role_in_project",
    "revoke_key",
    "send_code",
    "set_role",
    "signature_of",
    "update_project",
    "verify_code",
    "withdraw",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
