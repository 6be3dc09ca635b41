"""Secrets go into every input, and come out nowhere: no log, answer, page, run or row of the database repeats one.

Two are printed on purpose, each in one place: the first key, and without a mail server the code to sign in.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from tests.commands import PATIENCE, Serving, tawny
from tests.postgres import eventually
from tests.walks.revenuecat import fake_revenuecat, reaching

from tawny.dashboard.door import PAGES
from tawny.testing.revenuecat import Options

pytestmark = pytest.mark.walk

ADDRESS = "alice@example.com"

APP = """
from tawny import Run, Tawny

app = Tawny()

@app.job("count")
async def count(run: Run, number: int = 1) -> dict:
    run.log.info("counting", number=number)
    run.progress(1, 1, "counted")
    return {"number": number}
"""

OF_THE_OPERATOR = {
    "TAWNY_SECRET": "canary-secret-4f1d9a3c2b7e8065-of-32-or-more",
    "TAWNY_ENCRYPTION_KEYS": base64.b64encode(b"canary-encryption-key-32-bytes!!").decode(),
    "TAWNY_SMTP_URL": "smtp://mailer:canary-smtp-password-77aa@127.0.0.1:1",
}
"""Settings that are secret. Nothing listens on the mail server's port."""

SMTP_PASSWORD = "canary-smtp-password-77aa"
DATABASE_PASSWORD = "canary-database-password-51bc"


@dataclass
class Town:
    """Everything that was said, and what must not be in it."""

    serving: Serving
    url: str
    answers: list[str] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    """By what it is."""

    def secret(self, what: str, text: str = "") -> str:
        """Something secret, made up unless it is given, which nobody may find again."""
        self.secrets[what] = text or f"canary-{what.replace(' ', '-')}-9b4e"
        return self.secrets[what]

    def ask(self, method: str, path: str, *expected: int, shown: bool = False, **more: Any) -> httpx.Response:
        """A request, whose answer is kept unless it is the one place where something is shown."""
        answer = httpx.request(method, f"{self.serving.address}{path}", timeout=20, **more)
        assert answer.status_code in expected, (method, path, answer.text)
        if not shown:
            self.answers.append(f"{answer.headers} {answer.text}")
        return answer


@pytest.fixture
def url(scratch_url: str) -> str:
    return f"{scratch_url}{'&' if '?' in scratch_url else '?'}password={DATABASE_PASSWORD}"


@pytest.fixture
def town(tmp_path: Path, url: str) -> Iterator[Town]:
    """A server on its first start that writes mails into files, and talks to a RevenueCat that knows none of its keys."""
    with fake_revenuecat(Options(customers=1)) as fake:
        settings = OF_THE_OPERATOR | {"TAWNY_DATABASE_URL": url, "TAWNY_PRIVATE_WEBHOOKS": "on"} | reaching(fake)
        del settings["TAWNY_SMTP_URL"]
        with serving(tmp_path / "first", settings) as running:
            yield Town(running, url)


def serving(folder: Path, settings: dict[str, str]) -> Serving:
    folder.mkdir()
    (folder / "counts.py").write_text(APP)
    return Serving(folder, "--port", "0", "--app", "counts:app", **settings).wait_until_up()


def bearer(credential: str) -> dict[str, Any]:
    return {"headers": {"authorization": f"Bearer {credential}"}}


def test_no_secret_comes_out_again(town: Town, tmp_path: Path, url: str) -> None:
    for name, text in OF_THE_OPERATOR.items():
        town.secret(name, SMTP_PASSWORD if name == "TAWNY_SMTP_URL" else text)
    town.secret("database password", DATABASE_PASSWORD)
    first_key = town.secret("first key", town.serving.key)

    token = sign_in(town)
    fail_to_sign_in(town)
    show_bad_credentials(town)
    team_id, project_id = re.findall(r'" \(([0-9a-f-]{36})\)', town.serving.out)
    owner = use_keys(town, first_key, team_id)
    post_somewhere(town, owner, team_id)
    connect(town, first_key, project_id)
    put_secrets_in_wrong_places(town, first_key, team_id, project_id)
    run_something(town, first_key, team_id, project_id)
    look_at_pages(town, first_key, team_id, project_id, token)
    logs, stored = [said_by(town.serving, first_key, town.secrets["code"])], rows(url)

    settings = OF_THE_OPERATOR | {"TAWNY_DATABASE_URL": url}
    with serving(tmp_path / "second", settings) as with_mail:
        town.serving = with_mail
        town.ask("POST", "/v1/auth/send-code", 200, json={"email": "bob@example.com"})
        with_mail.wait_for("a mail was not sent")
        checked = tawny(with_mail.folder, "check", "--app", "counts:app", **settings)
        logs += [with_mail.out, with_mail.err, checked.stdout, checked.stderr]
        stored += rows(url)

    for what, text in town.secrets.items():
        for place, said in (("logs", logs), ("answers", town.answers), ("database", stored)):
            found = [one for one in said if is_in(text, one)]
            assert not found, f"{what} is in the {place}: {found[0][:500]}"


def is_in(secret: str, text: str) -> bool:
    """Whether a secret is in a text: as it is, in hex (so PostgreSQL shows bytes) or in base64. A code only as a whole number."""
    if secret.isdigit() and not re.search(rf"(?<![0-9a-f]){secret}(?![0-9a-f])", text):
        return secret.encode().hex() in text
    forms = (secret, secret.encode().hex(), base64.b64encode(secret.encode()).decode().rstrip("=")[:-1])
    return any(form in text for form in forms)


def said_by(serving: Serving, key: str, code: str) -> str:
    """What a server has said, without the two places where something secret is printed: exactly there and nowhere else."""
    own_line, to_try = f"  {key}\n", f"Authorization: Bearer {key}"
    assert (serving.out.count(own_line), serving.out.count(to_try), serving.out.count(key)) == (1, 1, 2)
    printed = f"code for {ADDRESS}: {code}"
    assert serving.err.count(printed) == 1
    return serving.out.replace(key, "") + serving.err.replace(printed, "")


def rows(url: str) -> list[str]:
    """Every row of every table, as text."""

    async def dump() -> list[str]:
        conn = await asyncpg.connect(url)
        try:
            tables = await conn.fetch("select schemaname, tablename from pg_tables where schemaname = 'public'")
            assert {"users", "api_keys", "sessions", "sign_in_codes", "integrations", "webhooks", "job_runs", "audit_log"} <= {
                table["tablename"] for table in tables
            }
            return [row[0] for table in tables for row in await conn.fetch(f'select t::text from "{table["tablename"]}" as t')]
        finally:
            await conn.close()

    found = asyncio.run(dump())
    assert len(found) > 20
    return found


def sign_in(town: Town) -> str:
    """By a code from the log, as an agent and as a person; what is shown is shown once."""

    def next_code(count: int) -> str:
        found: list[str] = []

        def logged() -> bool:
            found[:] = re.findall(rf"code for {ADDRESS}: (\d{{6}})", town.serving.err)
            return len(found) == count

        eventually(logged, PATIENCE)
        return found[-1]

    town.ask("POST", "/v1/auth/send-code", 200, json={"email": ADDRESS})
    code = town.secret("code", next_code(1))
    wrong = f"{(int(code) + 1) % 10**6:06}"
    town.ask("POST", "/v1/auth/verify-code", 401, json={"email": ADDRESS, "code": wrong})
    body = {"email": ADDRESS, "code": code}
    signed_in = town.ask("POST", "/v1/auth/verify-code", 201, json=body, shown=True)
    token = town.secret("token", signed_in.json()["token"])
    town.secret("signature of the token", token.rpartition(".")[2])
    town.ask("POST", "/v1/auth/verify-code", 401, json=body)
    town.ask("GET", "/v1/auth/whoami", 200, **bearer(token))
    return token


def fail_to_sign_in(town: Town) -> None:
    for path in ("/v1/auth/verify-code", "/v1/auth/agent-login"):
        town.ask("POST", path, 401, json={"email": ADDRESS, "code": town.secret("a wrong code")})
        town.ask("POST", path, 400, json={"email": ADDRESS, "code": [town.secret("a code in a list")]})
        town.ask("POST", path, 400, json={"email": ADDRESS, "code": "123456", "password": town.secret("a password")})
        town.ask("POST", path, 400, json={"email": town.secret("a password as an address"), "code": "123456"})
        body = json.dumps({"email": ADDRESS, "code": town.secret("a code in broken json")})[:-1].encode()
        town.ask("POST", path, 400, content=body, headers={"content-type": "application/json"})
        town.ask("POST", path, 415, content=body, headers={"content-type": "text/plain"})


def show_bad_credentials(town: Town) -> None:
    for scheme in ("Bearer", "Basic", "Token", ""):
        credential = town.secret(f"credential of {scheme or 'no scheme'}")
        for method, path in (("GET", "/v1/auth/whoami"), ("GET", "/v1/job-types"), ("POST", "/v1/projects")):
            town.ask(method, path, 401, headers={"authorization": f"{scheme} {credential}".strip()})
    key = town.secret("an unknown key", "tawny_" + "9" * 36)
    town.ask("GET", "/v1/auth/whoami", 401, **bearer(key))
    cookie = {"cookie": f"tawny_session={town.secret('cookie')}", "x-api-key": town.secret("x-api-key")}
    town.ask("GET", "/v1/auth/whoami", 401, headers=cookie)
    for name in ("api_key", "token", "access_token", "key", "password"):
        town.ask("GET", f"/v1/auth/whoami?{name}={town.secret(f'{name} in a query')}", 401)
        town.ask("GET", f"/nowhere?{name}={town.secret(f'{name} in a query')}", 404)
        town.ask("DELETE", f"/healthz?{name}={town.secret(f'{name} in a query')}", 405)


def use_keys(town: Town, key: str, team_id: str) -> str:
    """Keys that a user makes, one of which is revoked; returns the token of that user."""
    settings = {"TAWNY_SECRET": OF_THE_OPERATOR["TAWNY_SECRET"], "TAWNY_DATABASE_URL": town.url}
    made = tawny(town.serving.folder, "admin", "token", "you@localhost", "--json", **settings)
    owner = town.secret("token of the host", json.loads(made.stdout)["token"])
    path = f"/v1/teams/{team_id}/keys"
    for name in ("kept", "revoked"):
        body = {"name": name, "permissions": ["jobs:read"]}
        new = town.ask("POST", path, 201, json=body, shown=True, **bearer(owner)).json()
        town.secret(f"{name} key", new["api_key"])
        town.ask("GET", f"/v1/teams/{team_id}/jobs", 200, **bearer(new["api_key"]))
    town.ask("DELETE", f"{path}/{new['id']}", 200, **bearer(owner))
    town.ask("GET", path, 200, **bearer(owner))
    town.ask("GET", path, 403, **bearer(key))
    town.ask("POST", path, 400, json={"name": "x", "permissions": [town.secret("permission")]}, **bearer(owner))
    return owner


def post_somewhere(town: Town, owner: str, team_id: str) -> None:
    """A webhook whose url is a password, where nobody listens, with two secrets that sign."""
    path, url = f"/v1/teams/{team_id}/webhooks", f"http://127.0.0.1:9/{town.secret('url of a webhook')}"
    made = town.ask("POST", path, 201, json={"name": "Bot", "url": url}, shown=True, **bearer(owner)).json()
    at = f"{path}/{made['id']}"
    rotated = town.ask("POST", f"{at}/rotate-secret", 200, shown=True, **bearer(owner)).json()
    for what, secret in (("old secret", made["secret"]), ("secret", rotated["secret"])):
        town.secret(f"{what} of a webhook", secret.removeprefix("whsec_"))
    for wrong in (f"ftp://127.0.0.1/{town.secret('wrong url')}", f"http://me:{town.secret('password in a url')}@127.0.0.1/"):
        town.ask("PATCH", at, 400, json={"url": wrong}, **bearer(owner))
    sent = town.ask("POST", f"{at}/test", 201, **bearer(owner)).json()

    def tried() -> bool:
        found = town.ask("GET", f"{at}/deliveries/{sent['id']}", 200, **bearer(owner)).json()
        return bool(found["log"])

    eventually(tried, PATIENCE)
    for where in (path, at, f"{at}/deliveries", f"/v1/teams/{team_id}/audit-logs"):
        town.ask("GET", where, 200, **bearer(owner))


def connect(town: Town, key: str, project_id: str) -> None:
    """An integration, in all ways that it can be wrong, too; in the end its ciphertexts are swapped, and are refused."""
    path = f"/v1/projects/{project_id}/integrations"
    config = {
        "api_key": town.secret("integration", "sk_canary_0a1b2c3d4e5f"),
        "webhook_secret": town.secret("webhook", "whsec_canary_60718293"),
    }
    body = {"provider": "revenuecat", "config": config}
    town.ask("POST", path, 201, json=body, shown=True, **bearer(key))
    town.ask("GET", f"{path}/revenuecat/webhook-setup", 200, shown=True, **bearer(key))
    town.ask("GET", path, 200, **bearer(key))
    town.ask("POST", path, 409, json=body, **bearer(key))
    town.ask("POST", path, 400, json=body | {"secrets": config}, **bearer(key))
    town.ask("POST", path, 400, json=body | {"provider": town.secret("secret as a provider")}, **bearer(key))
    changed = {"api_key": town.secret("changed integration", "rk_canary_77e8d9")}
    town.ask("PATCH", f"{path}/revenuecat", 200, json={"config": changed}, **bearer(key))
    for wrong in (
        {"api_key": f"{town.secret('line of two')}\nx"},
        {"api_key": [town.secret("secret in a list")]},
        {"apikey": town.secret("secret in an unknown field")},
        {"api_key": town.secret("long secret") * 1000},
    ):
        town.ask("PATCH", f"{path}/revenuecat", 400, json={"config": wrong}, **bearer(key))
    sync(town, key, project_id)
    look_at_dashboard(town, project_id)
    change_by_form(town, project_id)
    asyncio.run(execute(town.url, SWAP))
    town.ask("GET", f"{path}/revenuecat/webhook-setup", 409, **bearer(key))


def sync(town: Town, key: str, project_id: str) -> None:
    """RevenueCat refuses the key, and says so to everybody who asks; a webhook shows its secret, and wrong ones."""
    path = f"/v1/projects/{project_id}/integrations/revenuecat"
    run_id = town.ask("POST", f"{path}/sync", 200, **bearer(key)).json()["job_run_id"]

    def refused() -> bool:
        run = town.ask("GET", f"/v1/jobs/{run_id}", 200, **bearer(key)).json()["job_run"]
        return bool(run["status"] == "failed" and "does not accept the API key" in run["error"])

    eventually(refused, PATIENCE)
    for what in ("logs", "timeline"):
        town.ask("GET", f"/v1/jobs/{run_id}/{what}", 200, **bearer(key))
    town.ask("POST", f"{path}/test", 400, **bearer(key))
    town.ask("POST", f"{path}/sync/somebody", 400, **bearer(key))
    town.ask("GET", f"/v1/projects/{project_id}/subscribers", 200, **bearer(key))
    hook, event = f"/v1/webhooks/revenuecat/{project_id}", {"event": {"id": "1", "app_user_id": "somebody"}}
    town.ask("POST", hook, 401, json=event, **bearer(town.secret("wrong webhook secret")))
    town.ask("POST", hook, 401, json=event, headers={"x-revenuecat-webhook-signature": town.secret("wrong signature")})
    shown = town.secrets["webhook"]
    town.ask("POST", hook, 200, json=event, **bearer(shown))


def look_at_dashboard(town: Town, project_id: str) -> None:
    """Every page about a team, its runs and its integrations, as its owner sees them in a browser."""
    owner = {"cookie": f"tawny_session={town.secrets['token of the host']}"}
    teams = town.ask("GET", "/v1/teams", 200, **bearer(town.secrets["token of the host"])).json()["teams"]
    [team] = [team for team in teams if team["name"] == "My team"]
    runs = town.ask("GET", f"/v1/teams/{team['id']}/jobs", 200, **bearer(town.secrets["token of the host"])).json()["job_runs"]
    seen = 0
    for page in (page for page in PAGES if page.method == "GET" and "{team}" in page.path):
        for run in runs if "{run_id}" in page.path else runs[:1]:
            path = page.path.replace("{team}", team["slug"]).replace("{project_id}", project_id).replace("{run_id}", run["id"])
            if "{" not in path:
                answer = town.ask("GET", path, 200, 303, 400, 404, 409, shown=path.endswith("/webhook"), headers=owner)
                seen += answer.status_code == 200
                assert not is_in(town.secrets["changed integration"], answer.text), path
    assert seen > 20, "the pages are there"


def change_by_form(town: Town, project_id: str) -> None:
    """What is typed into the form of an integration is not sent back, right or wrong."""
    cookie = {"cookie": f"tawny_session={town.secrets['token of the host']}"}
    page = town.ask("GET", "/sign-in", 200, 303, headers=cookie)
    csrf = re.findall(r'name="csrf" value="(\w+)"', page.text)[0]
    path = f"/teams/my-team/integrations/{project_id}"
    for api_key in (f"{town.secret('line of two in a form')}\nx", town.secret("key in a form", "sk_canary_in_a_form_5d5e")):
        town.ask("POST", f"{path}/change", 200, 303, 400, data={"csrf": csrf, "api_key": api_key}, headers=cookie)
    town.ask("POST", f"{path}/try", 200, 303, 400, data={"csrf": csrf}, headers=cookie)
    town.ask("GET", "/teams/my-team/integrations", 200, headers=cookie)


SWAP = """update integrations set secrets = jsonb_build_object(
    'api_key', secrets -> 'webhook_secret', 'webhook_secret', secrets -> 'api_key')"""


async def execute(url: str, statement: str) -> None:
    conn = await asyncpg.connect(url)
    try:
        await conn.execute(statement)
    finally:
        await conn.close()


def put_secrets_in_wrong_places(town: Town, key: str, team_id: str, project_id: str) -> None:
    path = f"/v1/teams/{team_id}/jobs"
    good = {"job_type": "count", "project_id": project_id}
    for name, wrong in (
        ("job_type", town.secret("job type")),
        ("project_id", town.secret("project id")),
        ("params", town.secret("params")),
        ("params", {"number": town.secret("param of a wrong type")}),
        ("params", {"project_id": town.secret("another project id")}),
        ("notify", town.secret("notify")),
        ("authorization", town.secret("credential in the body")),
    ):
        town.ask("POST", f"{path}/trigger", 400, json=good | {name: wrong}, **bearer(key))
    said = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    for body in (
        f'{{"{town.secret("broken json")}',
        f'["{town.secret("a list")}"]',
        f'{{"a": NaN, "b": "{town.secret("nan")}"}}',
    ):
        town.ask("POST", f"{path}/trigger", 400, content=body.encode(), headers=said)
    long = said | {"idempotency-key": town.secret("idempotency key") * 20}
    town.ask("POST", f"{path}/trigger", 400, json=good, headers=long)
    for name in ("since", "until", "limit", "status", "job_type", "project_id", "cursor"):
        text = town.secret(f"{name} of a list", f"CANARY {name} 9b4e")
        town.ask("GET", path, 400, params={name: text}, **bearer(key))
    for name in ("resource_type", "resource_id", "actor_id", "action", "since", "cursor"):
        text = town.secret(f"{name} of the audit log", f"CANARY {name} 7d2c")
        town.ask("GET", f"/v1/teams/{team_id}/audit-logs", 400, params={name: text}, **bearer(key))
    town.ask("POST", "/v1/projects", 400, json={"team_id": team_id, "name": "x", "slug": town.secret("SLUG")}, **bearer(key))
    town.ask("POST", "/v1/projects", 400, json={"team_id": town.secret("team id"), "name": "x", "slug": "x"}, **bearer(key))


def run_something(town: Town, key: str, team_id: str, project_id: str) -> None:
    body = {"job_type": "count", "project_id": project_id, "params": {"number": 7}}
    made = town.ask("POST", f"/v1/teams/{team_id}/jobs/trigger", 201, json=body, **bearer(key)).json()
    path = f"/v1/jobs/{made['job_run']['id']}"

    def ended() -> bool:
        return bool(town.ask("GET", path, 200, **bearer(key)).json()["job_run"]["status"] == "completed")

    eventually(ended, PATIENCE)
    for what in ("logs", "timeline"):
        town.ask("GET", f"{path}/{what}", 200, **bearer(key))


def look_at_pages(town: Town, key: str, team_id: str, project_id: str, token: str) -> None:
    for path in ("/metrics", "/openapi.json", "/healthz", "/readyz"):
        town.ask("GET", path, 200)
    for path in ("jobs", "jobs/stats", "audit-logs"):
        town.ask("GET", f"/v1/teams/{team_id}/{path}", 200, **bearer(key))
    for path in ("/v1/auth/whoami", "/v1/teams", "/v1/projects", "/v1/job-types"):
        town.ask("GET", path, 200, **bearer(key))
    look_at_dashboard(town, project_id)
    town.ask("POST", "/v1/auth/logout", 200, **bearer(token))
