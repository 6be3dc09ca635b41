"""What the operator does on the host, on a database without a server."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from tests.commands import tawny

from tawny.access import Authenticator, load_or_make_secret
from tawny.db.pool import Connection, Pool

pytestmark = pytest.mark.walk

Admin = Callable[..., dict[str, str]]

SYSTEM_JOB = """
from tawny import Run, Tawny

app = Tawny()

@app.system_job("sweep")
async def sweep(run: Run) -> None: ...

@app.job("export")
async def export(run: Run) -> None: ...
"""


@pytest.fixture
def admin(tmp_path: Path, database_url: str, conn: Connection) -> Admin:
    """Run `tawny admin … --json` on the test database; returns the object it printed."""

    def run(*arguments: str) -> dict[str, str]:
        done = tawny(tmp_path, "admin", *arguments, "--json", TAWNY_DATABASE_URL=database_url)
        assert (done.returncode, done.stderr) == (0, "")
        printed: dict[str, str] = json.loads(done.stdout)
        return printed

    return run


@pytest.fixture
async def authenticator(pool: Pool, tmp_path: Path) -> Authenticator:
    return Authenticator(pool, load_or_make_secret(tmp_path / ".tawny", None))


async def test_from_nothing_to_a_key_that_opens(admin: Admin, authenticator: Authenticator) -> None:
    team = admin("create-team", "Acme", "--owner", "ada@example.com")
    assert set(team) == {"team_id", "user_id"}

    project = admin("create-project", "shop", "--team", team["team_id"], "--name", "The shop")
    assert set(project) == {"team_id", "project_id"}

    key = admin(
        "create-key", "--team", team["team_id"], "--permission", "jobs:read", "--permission", "jobs:write", "--expires-in", "1h"
    )
    assert set(key) == {"team_id", "key_id", "api_key"}
    actor = await authenticator.actor(f"Bearer {key['api_key']}")
    assert str(actor.id) == key["key_id"]
    assert actor.permissions == frozenset({"jobs:read", "jobs:write"})
    assert set(actor.roles) == {UUID(team["team_id"])}


async def test_a_key_expires_when_it_was_told_to(admin: Admin, conn: Connection) -> None:
    team = admin("create-team", "Acme", "--owner", "ada@example.com")["team_id"]
    key = admin("create-key", "--team", team, "--permission", "jobs:read,system:read", "--expires-in", "2h", "--name", "CI")
    row = await conn.fetchrow(
        "select name, permissions, extract(epoch from expires_at - created_at) as seconds from api_keys where id = $1",
        UUID(key["key_id"]),
    )
    assert row
    assert (row["name"], row["permissions"]) == ("CI", ["jobs:read", "system:read"])
    assert 7100 < row["seconds"] < 7300


async def test_a_member_gets_a_token_that_signs_in(admin: Admin, authenticator: Authenticator) -> None:
    team = admin("create-team", "Acme", "--owner", "ada@example.com")["team_id"]
    member = admin("add-member", "grace@example.com", "--team", team, "--role", "admin")
    assert set(member) == {"team_id", "user_id"}

    token = admin("token", "grace@example.com")
    assert token == {"user_id": member["user_id"], "token": token["token"]}
    actor = await authenticator.actor(f"Bearer {token['token']}")
    assert dict(actor.roles) == {UUID(team): "admin"}


async def test_a_system_job_is_asked_for(admin: Admin, tmp_path: Path, conn: Connection) -> None:
    (tmp_path / "jobs.py").write_text(SYSTEM_JOB)
    run = admin("run-system", "sweep", "--app", "jobs:app")
    (listed,) = admin("system-runs")["job_runs"]
    assert (listed["id"], listed["job_type"], listed["team_id"]) == (run["run_id"], "sweep", None)
    own = admin("run-system", "tawny.run_retention", "--app", "jobs:app")
    assert [run["id"] for run in admin("system-runs", "--type", "tawny.run_retention")["job_runs"]] == [own["run_id"]]
    assert [run["id"] for run in admin("system-runs", "--limit", "1")["job_runs"]] == [own["run_id"]]
    assert set(run) == {"run_id"}
    assert await conn.fetchval("select job_type from job_runs where id = $1 and team_id is null", UUID(run["run_id"])) == "sweep"


async def test_it_says_what_waits_and_that_the_mail_server_is_down(
    admin: Admin, tmp_path: Path, database_url: str, conn: Connection
) -> None:
    quiet = admin("deliveries")["mail"]
    assert quiet == {"waiting": 0, "oldest_seconds": 0.0, "delivered": 0, "given_up": 0, "last_not_taken": None}
    log = [{"at": "2026-03-04T05:06:07.000Z", "seconds": 0.1, "error": "ConnectionRefusedError"}]
    await conn.execute(
        "insert into deliveries (id, channel, address, event, log, created_at)"
        " values (gen_random_uuid(), 'mail', 'a@example.com', 'failed', $1, now() - interval '1 hour')",
        json.dumps(log),
    )
    told = tawny(tmp_path, "admin", "deliveries", TAWNY_DATABASE_URL=database_url)
    assert (told.returncode, told.stderr) == (0, "")
    assert "mail      1 wait, the oldest for 1 h; 0 delivered, 0 given up" in told.stdout
    assert "ago: ConnectionRefusedError" in told.stdout
    assert "Next: see to the mail server that TAWNY_SMTP_URL names." in told.stdout
    assert "a@example.com" not in told.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("create-team", "Acme", "--owner", "nobody"), "name@example.com"),
        (
            ("create-key", "--team", "01890000-0000-7000-8000-000000000000", "--permission", "jobs:read"),
            "There is no team with this id.",
        ),
        (("create-key", "--team", "01890000-0000-7000-8000-000000000000", "--permission", "jobs:all"), "jobs:read, jobs:write"),
        (("run-system", "export", "--app", "jobs:app"), '"export" is a project job'),
    ],
)
async def test_what_is_refused_is_one_sentence(
    tmp_path: Path, database_url: str, conn: Connection, arguments: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "jobs.py").write_text(SYSTEM_JOB)
    refused = tawny(tmp_path, "admin", *arguments, "--json", TAWNY_DATABASE_URL=database_url)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert sentence in refused.stderr
    assert refused.stderr.count("\n") == 1


async def test_people_get_the_facts_and_what_to_do_next(tmp_path: Path, database_url: str, conn: Connection) -> None:
    made = tawny(tmp_path, "admin", "create-team", "Acme", "--owner", "ada@example.com", TAWNY_DATABASE_URL=database_url)
    assert made.returncode == 0
    assert re.search(r"^team_id +[0-9a-f-]{36}$", made.stdout, re.MULTILINE)
    assert "Next: `tawny admin create-project SLUG --team" in made.stdout


def test_a_database_without_a_schema_says_what_to_run(tmp_path: Path, scratch_url: str) -> None:
    refused = tawny(tmp_path, "admin", "create-team", "Acme", "--owner", "ada@example.com", TAWNY_DATABASE_URL=scratch_url)
    assert refused.returncode == 1
    assert "run `tawny migrate`" in refused.stderr

    migrated = tawny(tmp_path, "migrate", TAWNY_DATABASE_URL=scratch_url)
    assert migrated.returncode == 0
    assert "applied 0001_" in migrated.stdout
    assert "applied" not in tawny(tmp_path, "migrate", TAWNY_DATABASE_URL=scratch_url).stdout
    assert asyncio.run(_count(scratch_url)) > 0


async def _count(url: str) -> int:
    conn = await asyncpg.connect(url)
    found: int = await conn.fetchval("select count(*) from schema_migrations")
    await conn.close()
    return found


def test_the_embedded_database_is_started_for_the_command(tmp_path: Path) -> None:
    assert tawny(tmp_path, "migrate").returncode == 0
    made = tawny(tmp_path, "admin", "create-team", "Acme", "--owner", "ada@example.com", "--json")
    assert json.loads(made.stdout).keys() == {"team_id", "user_id"}
    again = tawny(tmp_path, "admin", "token", "ada@example.com", "--json")
    assert json.loads(again.stdout)["user_id"] == json.loads(made.stdout)["user_id"]
