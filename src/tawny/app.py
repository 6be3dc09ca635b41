"""The object that an author's module makes: its job types, and runs of them enqueued in the author's own transactions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from tawny.errors import InvalidRequest
from tawny.jobs import App, encode_params

if TYPE_CHECKING:
    from tawny.access import Actor
    from tawny.db.pool import Connection


class HasConnection(Protocol):
    """What holds a connection, such as `run.transaction()`."""

    @property
    def connection(self) -> Connection: ...


class Tawny(App):
    """An app: the job types of one server. `lifespan` opens what they share, once per worker; `run.state` holds it."""

    async def trigger(
        self,
        conn: Connection | HasConnection,
        job_type: str,
        *,
        team_id: UUID | str,
        project_id: UUID | str,
        params: Mapping[str, Any] | None = None,
        user_id: UUID | str | None = None,
        notify: bool = False,
    ) -> UUID:
        """Ask for a run on your own connection to Tawny's database, and return its id.

        The run is there once your transaction commits, together with what else you wrote in it, and never when it rolls back.
        `params` may hold what JSON can write: dates, ids and models too. You answer for who asks: `user_id` is the user for whom
        the run is triggered (and mailed about with `notify`), otherwise it is the host.

        Raises InvalidRequest for a job type or params that do not fit, NotFound for a project that is not the team's, and
        Conflict with `details["existing_run_id"]` while such a run is active. Your transaction can go on after each of these.
        Until it ends, others who trigger the same job type for the project wait for it: a transaction that triggers for several
        projects does so in the order of their ids, or two of them may wait for each other. Workers find the run within a second.
        """
        from tawny import runs  # when first used: whoever only defines job types needs no database driver

        team = _uuid("team_id", team_id)
        made = await runs.trigger(
            _connection(conn),
            _actor(team, None if user_id is None else _uuid("user_id", user_id)),
            runs.choose_job(self.jobs, job_type),
            team_id=team,
            project_id=_uuid("project_id", project_id),
            params=_plain(params or {}),
            notify=notify,
        )
        return made.id


def _connection(conn: Any) -> Connection:
    connection: Connection = getattr(conn, "connection", conn)
    return connection


def _uuid(name: str, value: UUID | str) -> UUID:
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value)
    except (ValueError, AttributeError, TypeError):
        raise InvalidRequest(f"{name} should be a UUID.", code="invalid_field", field=name) from None


def _actor(team_id: UUID, user_id: UUID | None) -> Actor:
    """Who is named as having triggered. The author's own code has checked what they may do."""
    from tawny.access import Actor

    return Actor.host() if user_id is None else Actor("user", user_id, {team_id: "owner"}, user_id=user_id)


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """The params as they would arrive over HTTP."""
    try:
        plain: dict[str, Any] = json.loads(encode_params(params))
    except ValueError as error:
        raise InvalidRequest(str(error), code="invalid_params") from None
    return plain
