"""Who asks, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from uuid import UUID

from tawny.access.operations import HOST_PERMISSIONS, ROLES, Operation, Permission, Role
from tawny.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: a user, an agent key, or the operator on the host.

    `id` is the user's or the key's. `roles` are those read from the database at most half a second ago, by team; a key has the
    current role of its maker in its one team. `permissions` is None unless this is a key. `user_id` is the user, or the key's
    maker (None for a key that was made on the host). `session_id` is the session that a user came with.
    """

    kind: Literal["user", "api_key", "host"]
    id: UUID
    roles: Mapping[UUID, Role] = field(default_factory=dict)
    permissions: frozenset[Permission] | None = None
    user_id: UUID | None = None
    session_id: UUID | None = None

    @staticmethod
    def host() -> Actor:
        """The operator on the machine that Tawny runs on, who may do everything."""
        return _HOST

    @property
    def label(self) -> str:
        """How logs and runs name this actor: `user:<uuid>`, `api_key:<uuid>`, `host`."""
        return "host" if self.kind == "host" else f"{self.kind}:{self.id}"

    def require(self, team_id: UUID, operation: Operation) -> None:
        """Raise Forbidden unless this actor may do this in this team.

        What is wrong is looked for in this order, and told by the code: `insufficient_permission`, `not_a_member`,
        `insufficient_role`.
        """
        if self.kind == "host":
            return
        self._require_permission(operation)
        role = self.roles.get(team_id)
        if role is None:
            raise Forbidden(_NOT_A_MEMBER[self.kind], code="not_a_member")
        if not operation.allows(role):
            raise Forbidden(self._why_role_is_too_low(role, operation), code="insufficient_role")

    def require_host(self) -> None:
        """Raise Forbidden unless this is the operator on the host."""
        if self.kind != "host":
            raise Forbidden("Only the operator can do this, on the host, with `tawny admin`.", code="host_only")

    def require_operator(self) -> None:
        """Raise Forbidden unless this is the operator: on the host, or with a key that was made there for runs of no team."""
        if self.kind == "host" or (self.permissions and HOST_PERMISSIONS & self.permissions):
            return
        if self.kind == "user":
            raise Forbidden("Only the operator can do this: with a key that was made on the host.", code="host_only")
        raise Forbidden(
            "This API key lacks the permission system:read, which only keys that were made on the host can have.",
            code="insufficient_permission",
        )

    def teams_for(self, operation: Operation) -> list[UUID]:
        """The teams in which this actor may do this: what a query by an object's own id searches.

        Raises Forbidden, naming the permission, when a key lacks it. The host has no such list: it names its team.
        """
        if self.kind == "host":
            raise TypeError("The host belongs to no team: use a verb that names the team.")
        self._require_permission(operation)
        return [team_id for team_id, role in self.roles.items() if operation.allows(role)]

    def _require_permission(self, operation: Operation) -> None:
        if self.permissions is None or operation.permission in self.permissions:
            return
        if operation.permission is None:
            raise Forbidden("An API key cannot do this; sign in as a user.", code="insufficient_permission")
        raise Forbidden(
            f"This API key lacks the permission {operation.permission}; use a key that has it.", code="insufficient_permission"
        )

    def _why_role_is_too_low(self, role: Role, operation: Operation) -> str:
        needed = " or ".join(role for role in ROLES if operation.allows(role))
        whose = "yours" if self.kind == "user" else "that of this key's maker"
        return f"This needs the role {needed} in this team; {whose} is {role}."


_HOST: Final = Actor("host", UUID(int=0))
_NOT_A_MEMBER: Final = {
    "user": "You are not a member of this team; ask one of its admins to add you.",
    "api_key": "This API key belongs to another team; use a key of this team.",
}
