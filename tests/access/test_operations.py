"""Who may do what: the contract's table, written down a second time and compared."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from tawny import access
from tawny.access import OPERATIONS, PERMISSIONS, ROLES, Actor, Operation, permissions_of
from tawny.errors import Forbidden

# operation, permission of a key (None: users only), lowest role
TABLE = [
    (access.LIST_RUNS, "jobs:read", "admin"),
    (access.TRIGGER_RUN, "jobs:write", "admin"),
    (access.VIEW_RUN, "jobs:read", "member"),
    (access.CANCEL_RUN, "jobs:write", "member"),
    (access.LIST_JOB_TYPES, "jobs:read", "member"),
    (access.VIEW_SCHEDULES, "jobs:read", "admin"),
    (access.WRITE_SCHEDULES, "jobs:write", "admin"),
    (access.VIEW_PROJECTS, "projects:read", "member"),
    (access.WRITE_PROJECTS, "projects:write", "admin"),
    (access.VIEW_INTEGRATIONS, "integrations:read", "member"),
    (access.VIEW_SUBSCRIBERS, "integrations:read", "admin"),
    (access.WRITE_INTEGRATIONS, "integrations:write", "admin"),
    (access.WRITE_KEYS, None, "admin"),
    (access.VIEW_MEMBERS, None, "member"),
    (access.WRITE_MEMBERS, None, "admin"),
    (access.MAKE_OWNERS, None, "owner"),
    (access.WRITE_NOTIFICATIONS, None, "admin"),
    (access.WRITE_OWN_PREFERENCES, None, "member"),
    (access.VIEW_AUDIT_LOG, "audit_logs:read", "admin"),
]
TEAM, OTHER_TEAM = uuid4(), uuid4()
RANK = {"member": 0, "admin": 1, "owner": 2}


def user(role: str | None, team_id: UUID = TEAM) -> Actor:
    user_id = uuid4()
    return Actor("user", user_id, {team_id: role} if role else {}, user_id=user_id)  # type: ignore[dict-item]


def key(role: str, *permissions: str, team_id: UUID = TEAM) -> Actor:
    return Actor("api_key", uuid4(), {team_id: role}, frozenset(permissions), uuid4())  # type: ignore[dict-item,arg-type]


def code_of(actor: Actor, operation: Operation, team_id: UUID = TEAM) -> str | None:
    """The code with which this is refused, or None when it is not."""
    try:
        actor.require(team_id, operation)
    except Forbidden as refusal:
        return refusal.code
    return None


def test_the_table_has_every_operation_once() -> None:
    assert [row[0] for row in TABLE] == list(OPERATIONS)
    assert len({operation.name for operation in OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize(("operation", "permission", "lowest"), TABLE, ids=lambda value: getattr(value, "name", None))
@pytest.mark.parametrize("role", ROLES)
def test_users_need_the_role(operation: Operation, permission: str | None, lowest: str, role: str) -> None:
    allowed = RANK[role] >= RANK[lowest]
    assert code_of(user(role), operation) == (None if allowed else "insufficient_role")
    assert user(role).teams_for(operation) == ([TEAM] if allowed else [])


@pytest.mark.parametrize(("operation", "permission", "lowest"), TABLE, ids=lambda value: getattr(value, "name", None))
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("held", PERMISSIONS)
def test_keys_need_the_permission_and_their_makers_role(
    operation: Operation, permission: str | None, lowest: str, role: str, held: str
) -> None:
    expected = None if RANK[role] >= RANK[lowest] else "insufficient_role"
    assert code_of(key(role, held), operation) == (expected if held == permission else "insufficient_permission")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_nobody_may_anything_in_a_team_they_are_not_in(operation: Operation) -> None:
    assert code_of(user("owner", OTHER_TEAM), operation) == "not_a_member"
    assert code_of(user(None), operation) == "not_a_member"
    assert code_of(key("owner", *PERMISSIONS, team_id=OTHER_TEAM), operation) in ("not_a_member", "insufficient_permission")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_the_host_may_everything(operation: Operation) -> None:
    assert code_of(Actor.host(), operation) is None
    Actor.host().require_host()


def test_a_missing_permission_is_told_before_a_missing_membership() -> None:
    stranger = key("owner", "jobs:read", team_id=OTHER_TEAM)
    assert code_of(stranger, access.TRIGGER_RUN) == "insufficient_permission"
    assert code_of(stranger, access.LIST_RUNS) == "not_a_member"


def test_a_refusal_names_the_permission_or_the_roles() -> None:
    with pytest.raises(Forbidden, match="jobs:write"):
        key("owner", "jobs:read").require(TEAM, access.CANCEL_RUN)
    with pytest.raises(Forbidden, match="jobs:write"):
        key("owner", "jobs:read").teams_for(access.CANCEL_RUN)
    with pytest.raises(Forbidden, match=r"admin or owner.*yours is member"):
        user("member").require(TEAM, access.TRIGGER_RUN)


def test_only_the_host_is_the_host() -> None:
    for actor in (user("owner"), key("owner", *PERMISSIONS)):
        with pytest.raises(Forbidden) as refused:
            actor.require_host()
        assert refused.value.code == "host_only"


def test_the_host_must_name_its_team() -> None:
    with pytest.raises(TypeError, match="names the team"):
        Actor.host().teams_for(access.VIEW_RUN)


def test_what_a_role_can_give_to_a_key() -> None:
    assert permissions_of("member") == {"jobs:read", "jobs:write", "projects:read", "integrations:read"}
    assert permissions_of("admin") == permissions_of("owner") == set(PERMISSIONS) - {"system:read"}


def test_labels_name_the_actor() -> None:
    somebody, program = user("member"), key("member")
    assert (somebody.label, program.label) == (f"user:{somebody.id}", f"api_key:{program.id}")
    assert Actor.host().label == "host"
