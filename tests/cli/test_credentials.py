"""Encryption keys as the operator handles them: what is said when one is missing, and how one is replaced."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from uuid import UUID

import pytest
from tests.commands import Serving, tawny

from tawny.access import Actor, add_member, create_project, create_team
from tawny.access.keyring import key_id
from tawny.cli.credentials import missing_keys
from tawny.db.pool import Connection
from tawny.integrations import Keyring, connect, webhook_secret

HOST = Actor.host()
OLD, NEW = b"o" * 32, b"n" * 32
RC = "revenuecat"


def in_base64(*keys: bytes) -> str:
    return ",".join(base64.b64encode(key).decode() for key in keys)


@pytest.fixture
async def admin(conn: Connection) -> Actor:
    team = await create_team(conn, HOST, name="Acme", owner_email="olive@example.com")
    user_id = await add_member(conn, HOST, team.team_id, email="ada@example.com", role="admin")
    return Actor("user", user_id, {team.team_id: "admin"}, user_id=user_id)


@pytest.fixture
async def project_id(conn: Connection, admin: Actor) -> UUID:
    """A project with an integration that was connected under the old key."""
    (team_id,) = admin.roles
    project = await create_project(conn, HOST, team_id, name="Web", slug="web")
    await connect(conn, admin, Keyring([OLD]), project.id, provider=RC, config={"api_key": "sk_live_nobody_may_see_this"})
    return project.id


async def test_each_missing_key_is_named_with_what_needs_it(conn: Connection, database_url: str, project_id: UUID) -> None:
    assert await missing_keys(database_url, Keyring([NEW, OLD])) == []
    for ring in (Keyring([NEW]), None):
        (sentence,) = await missing_keys(database_url, ring)
        assert sentence.startswith(f"the credentials of 1 integration need the key {key_id(OLD)}, which is not among")


@pytest.mark.walk
async def test_check_finds_that_a_key_was_taken_away_too_early(
    tmp_path: Path, conn: Connection, database_url: str, project_id: UUID
) -> None:
    checked = tawny(tmp_path, "check", TAWNY_DATABASE_URL=database_url, TAWNY_ENCRYPTION_KEYS=in_base64(NEW))
    assert checked.returncode == 1
    assert f"ok   encryption keys: {key_id(NEW)}\n" in checked.stdout
    assert f"BAD  credentials: the credentials of 1 integration need the key {key_id(OLD)}" in checked.stdout
    assert in_base64(NEW) not in checked.stdout + checked.stderr
    assert not (tmp_path / ".tawny").exists()


@pytest.mark.walk
async def test_a_start_says_so_too_and_serves(tmp_path: Path, conn: Connection, database_url: str, project_id: UUID) -> None:
    settings = {"TAWNY_DATABASE_URL": database_url, "TAWNY_ENCRYPTION_KEYS": in_base64(NEW)}
    with Serving(tmp_path / "house", "--port", "0", "--no-worker", **settings) as serving:
        serving.wait_until_up(worker=False)
        assert f"the credentials of 1 integration need the key {key_id(OLD)}" in serving.err
        serving.press_ctrl_c()
        assert serving.ended() == 0


@pytest.mark.walk
async def test_a_key_is_replaced(tmp_path: Path, conn: Connection, database_url: str, admin: Actor, project_id: UUID) -> None:
    secret = await webhook_secret(conn, admin, Keyring([OLD]), project_id, RC)

    refused = tawny(
        tmp_path, "admin", "reencrypt", "--json", TAWNY_DATABASE_URL=database_url, TAWNY_ENCRYPTION_KEYS=in_base64(NEW)
    )
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (4, "", 1)
    assert f"The integration revenuecat of the project {project_id}: " in refused.stderr

    done = tawny(
        tmp_path, "admin", "reencrypt", "--json", TAWNY_DATABASE_URL=database_url, TAWNY_ENCRYPTION_KEYS=in_base64(NEW, OLD)
    )
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, {"reencrypted": "1"}, "")
    assert await webhook_secret(conn, admin, Keyring([NEW]), project_id, RC) == secret
    assert await missing_keys(database_url, Keyring([NEW])) == []
