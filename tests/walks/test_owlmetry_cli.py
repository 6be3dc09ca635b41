"""The workflow of the published OwlMetry CLI (0.3.7), byte for byte as its requests were recorded, against `tawny serve`.

`integrations sync` (`POST …/integrations/revenuecat/sync`) is left out: the sync itself is another piece of work.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from email import message_from_bytes
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import pytest
from tests.commands import PATIENCE, Serving
from tests.postgres import eventually
from tests.walks.revenuecat import fake_revenuecat, reaching

from tawny.runs import FIELDS
from tawny.testing.revenuecat import Key, Options

pytestmark = pytest.mark.walk

ADDRESS = "alice@example.com"
PROJECT = {"id", "team_id", "name", "slug", "color", "created_at"}
INTEGRATION = {"id", "project_id", "provider", "config", "enabled", "created_at", "updated_at"}
ENDED = {"completed", "failed", "cancelled"}

APP = """
import time
from tawny import JobFailed, Run, Tawny

app = Tawny()

@app.job("revenuecat_user_backfill")
def backfill(run: Run, **params: object) -> dict:
    run.progress(0, 0, "Starting RevenueCat customer backfill...")
    while "foo" in params:
        run.check_cancelled()
        time.sleep(0.01)
    run.progress(4, 0, "1 page(s) fetched")
    return {"created": 4}

@app.job("test_fast")
async def fast(run: Run) -> dict:
    return {"ok": True}

@app.job("apple_ads_sync")
async def ads(run: Run) -> dict:
    raise JobFailed("Apple Search Ads integration not found or disabled")

@app.system_job("db_pruning")
async def prune(run: Run) -> dict:
    return {}
"""


class Cli:
    """Sends what the CLI sends, and reads of an answer what the CLI reads."""

    def __init__(self, address: str) -> None:
        self._connection = HTTPConnection(urlsplit(address).netloc, timeout=20)  # kept alive, as Node's fetch does
        self.calls = 0
        self.api_key: str | None = None
        self.team: dict[str, str] = {}

    def send(self, method: str, path: str, body: Any = None, query: dict[str, str] | None = None) -> tuple[int, Any]:
        """One call. What the CLI leaves undefined is not in `body`; without one there is no Content-Type either."""
        self.calls += 1
        target = f"{path}?{urlencode(query, safe='*')}" if query else path  # as URLSearchParams encodes
        self._connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in self._headers(method, body).items():
            self._connection.putheader(name, value)
        self._connection.endheaders(None if body is None else _json(body))
        answer = self._connection.getresponse()
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        return answer.status, json.loads(answer.read())

    def _headers(self, method: str, body: Any) -> dict[str, str]:
        headers = {"connection": "keep-alive"}
        if self.api_key is not None:
            headers["Authorization"] = f"Bearer {self.api_key}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        headers |= {
            "accept": "*/*",
            "accept-language": "*",
            "sec-fetch-mode": "cors",
            "user-agent": "node",
            "accept-encoding": "gzip, deflate",
        }
        if body is not None:
            headers["content-length"] = str(len(_json(body)))
        elif method in ("POST", "PATCH"):
            headers["content-length"] = "0"
        return headers

    def ok(self, method: str, path: str, body: Any = None, query: dict[str, str] | None = None, *, status: int = 200) -> Any:
        got, answer = self.send(method, path, body, query)
        assert got == status, answer
        return answer

    def refused(self, status: int, method: str, path: str, body: Any = None) -> str:
        """The sentence that the CLI shows."""
        got, answer = self.send(method, path, body)
        assert got == status, answer
        assert answer["error"]
        sentence: str = answer["error"]
        return sentence

    # Jobs

    def trigger(self, job_type: str, **more: Any) -> dict[str, Any]:
        return self._run(self.ok("POST", f"/v1/teams/{self.team['id']}/jobs/trigger", {"job_type": job_type} | more, status=201))

    def view(self, run_id: str) -> dict[str, Any]:
        return self._run(self.ok("GET", f"/v1/jobs/{run_id}"))

    def wait(self, run_id: str, fact: Callable[[dict[str, Any]], bool] = lambda run: run["status"] in ENDED) -> dict[str, Any]:
        """What `--wait` does, without its pauses."""
        seen: list[dict[str, Any]] = []

        def look() -> bool:
            seen.append(self.view(run_id))
            return fact(seen[-1])

        eventually(look, PATIENCE)
        return seen[-1]

    def list(self, **query: str) -> dict[str, Any]:
        page: dict[str, Any] = self.ok("GET", f"/v1/teams/{self.team['id']}/jobs", query=query)
        assert set(page) == {"job_runs", "cursor", "has_more"}
        assert all(tuple(run) == FIELDS for run in page["job_runs"])
        return page

    @staticmethod
    def _run(answer: dict[str, Any]) -> dict[str, Any]:
        assert list(answer) == ["job_run"]
        run: dict[str, Any] = answer["job_run"]
        assert tuple(run) == FIELDS
        return run


def _json(body: Any) -> bytes:
    """As JSON.stringify writes it."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server on an empty state folder, without a mail server, that talks to a fake RevenueCat."""
    folder = tmp_path_factory.mktemp("owlmetry")
    (folder / "shop.py").write_text(APP)
    with fake_revenuecat(Options(customers=5)) as fake:
        fake.add_key(Key("sk_slow_1234567890"))
        with Serving(folder, "--port", "0", "--app", "shop:app", **reaching(fake)) as serving:
            yield serving.wait_until_up()


def code_from_the_log(serving: Serving) -> str:
    found: list[str] = []

    def logged() -> bool:
        found[:] = re.findall(rf"code for {re.escape(ADDRESS)}: (\d{{6}})", serving.err)
        return bool(found)

    eventually(logged, PATIENCE)
    return found[-1]


def test_the_recorded_workflow(serving: Serving, say: Callable[[str], None]) -> None:
    cli = Cli(serving.address)
    sign_in(cli, serving)
    first, second = make_projects(cli)
    connect(cli, serving, first, second)
    run_jobs(cli, first, second)
    list_jobs(cli, first)
    mistakes(cli, first, second)
    sync(cli, first, second)
    read_the_audit_log(cli, first)
    say(f"{cli.calls} calls")


def sign_in(cli: Cli, serving: Serving) -> None:
    """`auth send-code`, `auth verify` with a wrong and the right code, `whoami`."""
    assert "message" in cli.ok("POST", "/v1/auth/send-code", {"email": ADDRESS})
    code = code_from_the_log(serving)
    wrong = f"{(int(code) + 1) % 10**6:06}"
    assert "code" in cli.refused(401, "POST", "/v1/auth/agent-login", {"email": ADDRESS, "code": wrong})
    signed_in = cli.ok("POST", "/v1/auth/agent-login", {"email": ADDRESS, "code": code}, status=201)
    assert set(signed_in) == {"api_key", "team"}
    assert set(signed_in["team"]) == {"id", "name", "slug"}
    assert signed_in["team"]["name"] == "Alice's team"
    cli.api_key, cli.team = signed_in["api_key"], signed_in["team"]

    (mail,) = (serving.folder / ".tawny" / "outbox").glob("*.eml")
    assert mail.stat().st_mode & 0o077 == 0
    message = message_from_bytes(mail.read_bytes())
    assert message["to"] == ADDRESS
    assert code in message.get_payload()

    for _ in range(2):
        who = cli.ok("GET", "/v1/auth/whoami")
        assert (who["type"], who["key_type"], who["team"]) == ("api_key", "agent", cli.team)
        permissions = {f"{what}:{how}" for what in ("jobs", "projects", "integrations") for how in ("read", "write")}
        assert set(who["permissions"]) == permissions | {"audit_logs:read"}


def make_projects(cli: Cli) -> tuple[str, str]:
    """`projects list`, `create`, a slug that is taken, `view`."""
    assert cli.ok("GET", "/v1/projects") == {"projects": []}
    made = [
        cli.ok("POST", "/v1/projects", {"team_id": cli.team["id"], "name": name, "slug": slug}, status=201)
        for name, slug in (("My App", "my-app"), ("My App 2", "my-app-2"))
    ]
    for project in made:
        assert set(project) == PROJECT
        assert project["team_id"] == cli.team["id"]
        assert re.fullmatch("#[0-9a-f]{6}", project["color"])
    taken = {"team_id": cli.team["id"], "name": "Dup", "slug": "my-app-2"}
    assert cli.refused(409, "POST", "/v1/projects", taken).startswith("A project with this slug already exists in your team")
    assert cli.ok("GET", "/v1/projects") == {"projects": made}
    assert cli.ok("GET", "/v1/projects", query={"team_id": cli.team["id"]}) == {"projects": made}
    assert cli.ok("GET", f"/v1/projects/{made[0]['id']}") == made[0] | {"apps": []}
    return made[0]["id"], made[1]["id"]


def connect(cli: Cli, serving: Serving, first: str, second: str) -> None:
    """`integrations providers`, `add` (which its users do by hand), `list`, `copy`, `update`, `remove`, `webhook-setup`."""
    path = f"/v1/projects/{first}/integrations"
    assert cli.ok("GET", path) == {"integrations": []}
    (provider,) = cli.ok("GET", f"{path}/providers")["providers"]
    assert provider["id"] == "revenuecat"
    assert {"key", "label", "required", "sensitive"} <= set(provider["configFields"][0])

    key, cli.api_key = cli.api_key, "sk_slow_123"  # `--api-key` is taken for the CLI's own: the secret arrives as the credential
    assert cli.refused(401, "POST", path, {"provider": "revenuecat", "config": {}})
    cli.api_key = key

    body = {"provider": "revenuecat", "config": {"api_key": "sk_slow_1234567890"}}
    made = cli.ok("POST", path, body, status=201)
    setup = made.pop("webhook_setup")
    assert set(made) == INTEGRATION
    assert made["config"] == {"api_key": "sk_s****", "webhook_secret": "whse****"}
    assert setup["webhook_url"] == f"{serving.address}/v1/webhooks/revenuecat/{first}"
    assert re.fullmatch(r"Bearer whsec_\w+", setup["authorization_header"])
    assert (setup["environment"], setup["events_filter"]) == ("Both Production and Sandbox", "All apps, All events")
    assert cli.ok("GET", path) == {"integrations": [made]}
    assert cli.ok("GET", f"{path}/revenuecat/webhook-setup") == {"webhook_setup": setup}
    assert cli.refused(409, "POST", path, body)

    there = f"/v1/projects/{second}/integrations"
    copied = cli.ok("POST", f"{there}/copy-from/{first}", {"provider": "revenuecat"}, status=201)
    assert copied["config"] == {"api_key": "sk_s****", "webhook_secret": "whse****"}
    assert copied["webhook_setup"]["webhook_url"] == f"{serving.address}/v1/webhooks/revenuecat/{second}"
    changed = cli.ok("PATCH", f"{there}/revenuecat", {"config": {"api_key": "rk_other_1234567890"}, "enabled": False})
    assert (changed["config"]["api_key"], changed["enabled"]) == ("rk_o****", False)
    assert cli.ok("DELETE", f"{there}/revenuecat") == {"deleted": True}
    assert cli.ok("GET", there) == {"integrations": []}
    assert cli.refused(404, "DELETE", f"{there}/revenuecat")


def run_jobs(cli: Cli, first: str, second: str) -> None:
    """`jobs trigger --wait`, the same once more, `jobs view`, `jobs cancel` without a body."""
    long = cli.trigger("revenuecat_user_backfill", project_id=first, params={"foo": "bar", "n": "5"}, notify=True)
    assert (long["status"], long["notify"], long["progress"]) == ("pending", True, None)
    assert long["params"] == {"foo": "bar", "n": "5", "project_id": first}
    assert re.fullmatch(r"manual:api_key:[0-9a-f-]{36}", long["triggered_by"])
    again = {"job_type": "revenuecat_user_backfill", "project_id": first}
    assert "already" in cli.refused(409, "POST", f"/v1/teams/{cli.team['id']}/jobs/trigger", again)
    running = cli.wait(long["id"], lambda run: run["status"] == "running" and run["progress"] is not None)
    assert running["progress"] == {"processed": 0, "total": 0, "message": "Starting RevenueCat customer backfill..."}
    assert cli.list(limit="1")["job_runs"][0]["id"] == long["id"]
    assert cli.ok("POST", f"/v1/jobs/{long['id']}/cancel") == {"cancelled": True}
    assert cli.wait(long["id"])["status"] == "cancelled"
    for _ in range(2):
        assert "cancelled" in cli.refused(400, "POST", f"/v1/jobs/{long['id']}/cancel")

    short = cli.wait(cli.trigger("revenuecat_user_backfill", project_id=second)["id"])
    assert (short["status"], short["result"]) == ("completed", {"created": 4})
    assert short["progress"]["message"] == "1 page(s) fetched"
    fast = cli.wait(cli.trigger("test_fast", project_id=second)["id"])
    assert (fast["status"], fast["result"], fast["error"], fast["notify"]) == ("completed", {"ok": True}, None, False)
    failed = cli.wait(cli.trigger("apple_ads_sync", project_id=second)["id"])
    assert (failed["status"], failed["error"]) == ("failed", "Apple Search Ads integration not found or disabled")
    assert failed["started_at"] <= failed["completed_at"]


def list_jobs(cli: Cli, first: str) -> None:
    """`jobs list` with a limit, a cursor as it was returned, and all filters at once."""
    page = cli.list(limit="2")
    assert page["has_more"] is True
    assert page["cursor"] == "{created_at}|{id}".format(**page["job_runs"][-1])
    rest = cli.list(limit="2", cursor=page["cursor"])  # `|` goes out as %7C, `:` as %3A
    assert (len(rest["job_runs"]), rest["cursor"], rest["has_more"]) == (2, None, False)
    assert [run["job_type"] for run in page["job_runs"] + rest["job_runs"]] == [
        "apple_ads_sync",
        "test_fast",
        "revenuecat_user_backfill",
        "revenuecat_user_backfill",
    ]
    narrow = {"job_type": "revenuecat_user_backfill", "status": "cancelled", "project_id": first}
    found = cli.list(**narrow, since="1h", until="2030-01-01T00:00:00Z")
    assert [run["status"] for run in found["job_runs"]] == ["cancelled"]
    assert (found["cursor"], found["has_more"]) == (None, False)
    assert cli.list(**narrow, until="1h")["job_runs"] == []


def sync(cli: Cli, first: str, second: str) -> None:
    """`integrations sync revenuecat`, which sends no body; and for a project that is not connected."""
    path = f"/v1/projects/{first}/integrations/revenuecat/sync"
    asked = cli.ok("POST", path)
    assert set(asked) == {"syncing", "total", "job_run_id"}
    assert (asked["syncing"], asked["total"]) == (True, 0)
    run = cli.wait(asked["job_run_id"])
    assert (run["job_type"], run["status"], run["params"]) == ("revenuecat_sync", "completed", {"project_id": first})
    synced = run["result"]["synced"]
    assert run["progress"] == {"processed": synced, "total": synced, "message": f"Synced {synced} users, 0 skipped"}
    assert cli.wait(cli.ok("POST", path)["job_run_id"])["result"]["unchanged"] == synced > 0
    assert "not connected" in cli.refused(404, "POST", f"/v1/projects/{second}/integrations/revenuecat/sync")


def mistakes(cli: Cli, first: str, second: str) -> None:
    """What the CLI's users get wrong; each is a sentence."""
    trigger = f"/v1/teams/{cli.team['id']}/jobs/trigger"
    assert cli.refused(404, "GET", "/v1/jobs/nope") == cli.refused(404, "GET", f"/v1/jobs/{uuid4()}")
    assert "job_type" in cli.refused(400, "POST", trigger, {"job_type": "nope"})
    assert "system" in cli.refused(400, "POST", trigger, {"job_type": "db_pruning", "project_id": first})
    assert "project_id" in cli.refused(400, "POST", trigger, {"job_type": "apple_ads_sync"})
    assert cli.refused(404, "POST", trigger, {"job_type": "apple_ads_sync", "project_id": str(uuid4())})
    assert cli.refused(404, "GET", f"/v1/projects/{uuid4()}")
    assert cli.refused(404, "POST", f"/v1/projects/{second}/integrations/copy-from/{uuid4()}", {"provider": "revenuecat"})


def read_the_audit_log(cli: Cli, first: str) -> None:
    """`audit-log list`, page by page and with filters."""
    path = f"/v1/teams/{cli.team['id']}/audit-logs"
    entries: list[dict[str, Any]] = []
    query = {"limit": "5"}
    while True:
        page = cli.ok("GET", path, query=query)
        assert set(page) == {"audit_logs", "cursor", "has_more"}
        entries += page["audit_logs"]
        if not page["has_more"]:
            break
        query["cursor"] = page["cursor"]
    assert len({entry["id"] for entry in entries}) == len(entries)
    done = sorted(f"{entry['action']} {entry['resource_type']}" for entry in entries)
    assert done == [
        "create api_key",
        *["create integration"] * 2,
        *["create job_run"] * 6,
        *["create project"] * 2,
        "delete integration",
        "update integration",
        "update job_run",
    ]
    made = cli.ok("GET", path, query={"resource_type": "project", "resource_id": first, "action": "create", "since": "1h"})
    assert [entry["resource_id"] for entry in made["audit_logs"]] == [first]
