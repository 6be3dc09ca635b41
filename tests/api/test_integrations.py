"""What a project is connected to: secrets go in, and only their first four characters come out."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from structlog.testing import capture_logs

from api.world import Served, World, is_time, refusal, serve

KEY = ("integrations:read", "integrations:write")
FIELDS = {"id", "project_id", "provider", "config", "enabled", "created_at", "updated_at"}
SECRET = "sk_the_whole_secret"


@pytest.fixture
async def key(world: World) -> str:
    return await world.add_key(*KEY)


def path(project_id: Any, rest: str = "") -> str:
    return f"/v1/projects/{project_id}/integrations{rest}"


async def connect(world: World, key: str | None, project_id: Any = None, **body: Any) -> httpx.Response:
    """POST an integration, to the world's project unless another is given. An argument of `...` leaves the field out."""
    sent = {"provider": "revenuecat", "config": {"api_key": SECRET}} | body
    sent = {name: value for name, value in sent.items() if value is not ...}
    return await world.send("POST", path(project_id or world.project_id), as_=key, json=sent)


async def change(world: World, key: str | None, *, provider: str = "revenuecat", **body: Any) -> httpx.Response:
    return await world.send("PATCH", path(world.project_id, f"/{provider}"), as_=key, json=body)


async def disconnect(world: World, key: str | None, *, provider: str = "revenuecat") -> httpx.Response:
    return await world.send("DELETE", path(world.project_id, f"/{provider}"), as_=key)


async def listed(world: World, key: str, project_id: Any = None) -> list[dict[str, Any]]:
    answer = await world.send("GET", path(project_id or world.project_id), as_=key)
    assert answer.status_code == 200
    assert list(answer.json()) == ["integrations"]
    found: list[dict[str, Any]] = answer.json()["integrations"]
    assert all(set(integration) == FIELDS for integration in found)
    return found


async def setup(world: World, key: str, project_id: Any = None) -> dict[str, str]:
    answer = await world.send("GET", path(project_id or world.project_id, "/revenuecat/webhook-setup"), as_=key)
    assert answer.status_code == 200
    assert list(answer.json()) == ["webhook_setup"]
    found: dict[str, str] = answer.json()["webhook_setup"]
    return found


async def test_providers_say_what_they_need(world: World, key: str) -> None:
    answer = await world.send("GET", path(world.project_id, "/providers"), as_=key)
    assert answer.status_code == 200
    (provider,) = answer.json()["providers"]
    assert set(provider) == {"id", "name", "description", "configFields"}
    assert provider["id"] == "revenuecat"
    fields = {field["key"]: field for field in provider["configFields"]}
    assert all({"key", "label", "required", "sensitive"} <= set(field) for field in fields.values())
    assert {name: (field["required"], field["sensitive"]) for name, field in fields.items()} == {
        "api_key": (True, True),
        "rc_project_id": (False, False),
        "webhook_secret": (False, True),
    }


async def test_a_new_integration_shows_four_characters_of_each_secret(world: World, key: str) -> None:
    answer = await connect(world, key)
    assert answer.status_code == 201
    made = answer.json()
    webhook = made.pop("webhook_setup")
    assert set(made) == FIELDS
    assert UUID(made["id"]).version == 7
    assert (made["project_id"], made["provider"], made["enabled"]) == (str(world.project_id), "revenuecat", True)
    assert made["config"] == {"api_key": "sk_t****", "webhook_secret": "whse****"}
    assert is_time(made["created_at"])
    assert made["updated_at"] == made["created_at"]
    assert await listed(world, key) == [made]
    assert webhook == await setup(world, key)
    assert set(webhook) == {"webhook_url", "authorization_header", "environment", "events_filter"}
    assert webhook["webhook_url"].endswith(f"/v1/webhooks/revenuecat/{world.project_id}")
    assert webhook["authorization_header"].startswith("Bearer whsec_")
    assert (webhook["environment"], webhook["events_filter"]) == ("Both Production and Sandbox", "All apps, All events")
    assert await world.audited() == ["create integration"]


async def test_a_short_secret_shows_nothing(world: World, key: str) -> None:
    made = (await connect(world, key, config={"api_key": "sk_12345", "webhook_secret": "whsec_mine"})).json()
    assert made["config"] == {"api_key": "****", "webhook_secret": "whse****"}
    assert made["webhook_setup"]["authorization_header"] == "Bearer whsec_mine"


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        ({"provider": ...}, "missing_field", "provider"),
        ({"provider": 5}, "invalid_field", "provider"),
        ({"provider": "stripe"}, "unknown_provider", "revenuecat"),
        ({"provider": "__proto__"}, "unknown_provider", "revenuecat"),
        ({"config": ...}, "missing_field", "config"),
        ({"config": None}, "invalid_field", "config"),
        ({"config": SECRET}, "invalid_field", "config"),
        ({"config": [SECRET]}, "invalid_field", "config"),
        ({"config": {}}, "invalid_config", "api_key"),
        ({"config": {"api_key": None}}, "invalid_config", "api_key"),
        ({"config": {"api_key": ""}}, "invalid_config", "api_key"),
        ({"config": {"api_key": "   "}}, "invalid_config", "api_key"),
        ({"config": {"api_key": 5}}, "invalid_config", "api_key"),
        ({"config": {"api_key": [SECRET]}}, "invalid_config", "api_key"),
        ({"config": {"api_key": {"of": SECRET}}}, "invalid_config", "api_key"),
        ({"config": {"api_key": f"{SECRET}\n"}}, "invalid_config", "api_key"),
        ({"config": {"api_key": f"sk\r\nx-header: {SECRET}"}}, "invalid_config", "api_key"),
        ({"config": {"api_key": f" {SECRET}"}}, "invalid_config", "api_key"),
        ({"config": {"api_key": f"{SECRET}\u2028"}}, "invalid_config", "api_key"),
        ({"config": {"api_key": SECRET * 1000}}, "invalid_config", "api_key"),
        ({"config": {"api_key": SECRET, "apikey": SECRET}}, "invalid_config", "apikey"),
        ({"config": {"api_key": SECRET, "webhook_secret": ""}}, "invalid_config", "webhook_secret"),
        ({"enabled": True}, "unknown_field", "enabled"),
        ({"secrets": {"api_key": SECRET}}, "unknown_field", "secrets"),
    ],
)
async def test_a_wrong_body_is_refused_by_name(world: World, key: str, body: dict[str, Any], code: str, named: str) -> None:
    with capture_logs() as logs:
        answer = await connect(world, key, **body)
    assert refusal(answer) == (400, code)
    assert named in answer.json()["error"]
    assert SECRET not in answer.text + str(logs)
    assert await listed(world, key) == []
    assert await world.audited() == []


async def test_a_secret_of_a_megabyte_is_refused(world: World, key: str) -> None:
    assert refusal(await connect(world, key, config={"api_key": "x" * 1_000_000})) == (400, "invalid_config")
    assert refusal(await connect(world, key, config={"api_key": "x" * 1_048_577})) == (413, "payload_too_large")


async def test_a_project_has_one_integration_with_a_service(world: World, key: str) -> None:
    made = (await connect(world, key)).json()
    refused = await connect(world, key, config={"api_key": "sk_another_secret"})
    assert refusal(refused) == (409, "already_connected")
    assert made.pop("webhook_setup") == await setup(world, key)
    assert await listed(world, key) == [made]
    assert (await connect(world, key, await world.add_project())).status_code == 201


async def test_one_that_was_deleted_comes_back_under_its_id_with_new_secrets(world: World, key: str) -> None:
    first = (await connect(world, key)).json()
    await change(world, key, enabled=False)
    assert (await disconnect(world, key)).json() == {"deleted": True}
    assert await listed(world, key) == []
    stored = await world.conn.fetchval("select secrets::text || config::text from integrations")
    assert stored == "{}{}"
    again = await connect(world, key, config={"api_key": "rk_another_secret"})
    assert again.status_code == 201
    second = again.json()
    assert (second["id"], second["enabled"], second["config"]["api_key"]) == (first["id"], True, "rk_a****")
    assert second["webhook_setup"]["authorization_header"] != first["webhook_setup"]["authorization_header"]
    assert second["created_at"] >= first["created_at"]
    assert await world.audited() == [*["create integration"] * 2, "delete integration", "update integration"]


async def test_a_change_is_merged_into_what_is_there(world: World, key: str) -> None:
    made = (await connect(world, key)).json()
    webhook = made.pop("webhook_setup")
    since = made.pop("updated_at")

    async def changed(**body: Any) -> dict[str, Any]:
        answer = await change(world, key, **body)
        assert (answer.status_code, [answer.json()]) == (200, await listed(world, key))
        assert answer.json()["updated_at"] >= since
        return {name: value for name, value in answer.json().items() if name != "updated_at"}

    assert await changed(enabled=False) == made | {"enabled": False}
    assert await changed(config={"api_key": "rk_another_secret"}) == made | {
        "enabled": False,
        "config": {"api_key": "rk_a****", "webhook_secret": "whse****"},
    }
    assert await setup(world, key) == webhook
    await changed(config={"webhook_secret": "mine_and_new"}, enabled=True)
    assert (await setup(world, key))["authorization_header"] == "Bearer mine_and_new"
    assert (await changed(config={"api_key": None}, enabled=None))["config"]["api_key"] == "rk_a****"
    assert (await changed(config={}))["config"] == {"api_key": "rk_a****", "webhook_secret": "mine****"}


async def test_the_audit_log_says_which_secrets_changed_and_not_to_what(world: World, key: str) -> None:
    await connect(world, key)
    await change(world, key, config={"api_key": "rk_another_secret"}, enabled=False)
    row = await world.conn.fetchrow("select changes::text, metadata::text from audit_log where action = 'update'")
    assert json.loads(row["changes"]) == {
        "api_key": {"before": "****", "after": "****"},
        "enabled": {"before": True, "after": False},
    }
    assert json.loads(row["metadata"]) == {"provider": "revenuecat", "project_id": str(world.project_id)}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "nothing_to_change"),
        ({"config": None, "enabled": None}, "nothing_to_change"),
        ({"enabled": "yes"}, "invalid_field"),
        ({"enabled": 1}, "invalid_field"),
        ({"config": []}, "invalid_field"),
        ({"config": {"api_key": ""}}, "invalid_config"),
        ({"config": {"api_key": 5}}, "invalid_config"),
        ({"config": {"apikey": "x"}}, "invalid_config"),
        ({"provider": "revenuecat"}, "unknown_field"),
        ({"project_id": str(uuid4())}, "unknown_field"),
    ],
)
async def test_a_wrong_change_is_refused_by_name(world: World, key: str, body: dict[str, Any], code: str) -> None:
    await connect(world, key)
    before = await listed(world, key)
    answer = await world.send("PATCH", path(world.project_id, "/revenuecat"), as_=key, json=body)
    assert refusal(answer) == (400, code)
    assert await listed(world, key) == before


async def test_what_is_not_connected_is_a_404(world: World, key: str) -> None:
    async def answers() -> list[httpx.Response]:
        return [
            await change(world, key, enabled=True),
            await disconnect(world, key),
            await world.send("GET", path(world.project_id, "/revenuecat/webhook-setup"), as_=key),
        ]

    never = await answers()
    await connect(world, key)
    await disconnect(world, key)
    assert {(answer.status_code, answer.content) for answer in never + await answers()} == {(404, never[0].content)}
    assert refusal(never[0]) == (404, "not_connected")


async def test_an_unknown_provider_is_refused(world: World, key: str) -> None:
    for answer in (
        await change(world, key, provider="stripe", enabled=True),
        await disconnect(world, key, provider="stripe"),
        await world.send("GET", path(world.project_id, "/stripe/webhook-setup"), as_=key),
    ):
        assert refusal(answer) == (400, "unknown_provider")


async def test_a_project_of_another_team_is_an_unknown_one(world: World, key: str) -> None:
    foreign, gone = await world.add_project((await world.add_team())[0]), await world.add_project()
    await world.conn.execute("update projects set deleted_at = now() where id = $1", gone)
    body = {"provider": "revenuecat", "config": {"api_key": SECRET}}
    answers = [
        await world.send(method, path(project_id, rest), as_=key, **more)
        for project_id in (uuid4(), foreign, gone, "nope")
        for method, rest, more in (
            ("GET", "", {}),
            ("GET", "/providers", {}),
            ("POST", "", {"json": body}),
            ("PATCH", "/revenuecat", {"json": {"enabled": False}}),
            ("DELETE", "/revenuecat", {}),
            ("GET", "/revenuecat/webhook-setup", {}),
            ("POST", f"/copy-from/{world.project_id}", {"json": {"provider": "revenuecat"}}),
        )
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
    assert await world.conn.fetchval("select count(*) from integrations") == 0


# Copies


async def copy(world: World, key: str | None, source: Any, target: Any, **body: Any) -> httpx.Response:
    return await world.send("POST", path(target, f"/copy-from/{source}"), as_=key, json={"provider": "revenuecat"} | body)


async def test_a_copy_has_the_same_secret_and_its_own_webhook(world: World, key: str) -> None:
    source, target = (await connect(world, key)).json(), await world.add_project()
    answer = await copy(world, key, world.project_id, target)
    assert answer.status_code == 201
    made = answer.json()
    assert set(made) == FIELDS | {"webhook_setup"}
    assert made["config"] == source["config"]
    assert made["id"] != source["id"]
    assert made["project_id"] == str(target)
    assert made["webhook_setup"] == await setup(world, key, target)
    assert made["webhook_setup"]["authorization_header"] != source["webhook_setup"]["authorization_header"]
    state = world.served.api.state.tawny
    sealed = json.loads(await world.conn.fetchval("select secrets::text from integrations where project_id = $1", target))
    assert state.keyring.decrypt(sealed["api_key"], f"{target}|revenuecat|api_key") == SECRET
    assert refusal(await copy(world, key, world.project_id, target)) == (409, "already_connected")


async def test_a_copy_needs_two_projects_of_one_team(world: World, key: str) -> None:
    await connect(world, key)
    other_team, _ = await world.add_team()
    foreign, target = await world.add_project(other_team), await world.add_project()
    unknown = await copy(world, key, uuid4(), target)
    refused = [await copy(world, key, source, target) for source in (foreign, "nope")]
    refused += [await copy(world, key, world.project_id, there) for there in (foreign, uuid4(), "nope")]
    assert {(answer.status_code, answer.content) for answer in refused} == {(404, unknown.content)}
    assert refusal(await copy(world, key, target, await world.add_project())) == (404, "not_connected")
    assert refusal(await copy(world, key, world.project_id, target, provider="stripe")) == (400, "unknown_provider")
    assert refusal(await copy(world, key, world.project_id, target, config={})) == (400, "unknown_field")
    both = await world.add_user("admin")
    await world.conn.execute("insert into memberships (team_id, user_id, role) values ($1, $2, 'admin')", other_team, both.id)
    refused_to_both = await copy(world, await world.token(both.id), world.project_id, foreign)
    assert refusal(refused_to_both) == (400, "different_teams")
    assert await world.conn.fetchval("select count(*) from integrations") == 1


# Who, and in which order


async def test_the_order_of_checks_is_credential_permission_role_request_object(world: World, key: str) -> None:
    """What is wrong with each request is everything that is checked later than what is told."""
    bad: dict[str, Any] = {"content": b"{", "headers": {"content-type": "application/json"}}
    reader, member = await world.add_key("integrations:read"), await world.token_of("member")
    for method, rest in (("POST", ""), ("PATCH", "/revenuecat"), ("POST", f"/copy-from/{uuid4()}")):
        here, nowhere = path(world.project_id, rest), path(uuid4(), rest)
        assert (await world.send(method, here, as_=None, **bad)).status_code == 401
        assert refusal(await world.send(method, here, as_=reader, **bad)) == (403, "insufficient_permission")
        assert refusal(await world.send(method, here, as_=member, **bad)) == (403, "insufficient_role")
        assert refusal(await world.send(method, nowhere, as_=key, **bad)) == (400, "invalid_json")
    assert refusal(await connect(world, key, uuid4(), config={})) == (400, "invalid_config")
    assert refusal(await copy(world, key, uuid4(), uuid4(), provider="stripe")) == (400, "unknown_provider")


# What is stored


async def test_a_secret_is_stored_encrypted_and_shown_to_nobody_again(world: World, key: str) -> None:
    await connect(world, key, config={"api_key": SECRET, "webhook_secret": "whsec_of_my_own"})
    stored = await world.conn.fetchval("select i::text from integrations as i")
    assert "sk_t****" in stored
    for secret in (SECRET, "whsec_of_my_own"):
        assert secret not in stored
        assert secret not in str(await listed(world, key))
    audited = await world.conn.fetch("select a::text from audit_log as a")
    assert not [row for (row,) in audited if SECRET in row]


ELSEWHERE = {
    "another project": "select o.secrets from integrations o where o.id <> i.id",
    "another field": """
        select jsonb_build_object('api_key', secrets -> 'webhook_secret', 'webhook_secret', secrets -> 'api_key')""",
    "a damaged one": """
        select jsonb_set(secrets, '{webhook_secret}', to_jsonb(overlay(secrets ->> 'webhook_secret' placing
            case substr(secrets ->> 'webhook_secret', 30, 1) when 'A' then 'B' else 'A' end from 30 for 1)))""",
    "a key that nobody has": """
        select jsonb_set(secrets, '{webhook_secret}',
            to_jsonb(overlay(secrets ->> 'webhook_secret' placing '00000000' from 4 for 8)))""",
}
"""What may be put into the place of an integration's secrets by somebody who can write to the database."""


@pytest.mark.parametrize("secrets", ELSEWHERE.values(), ids=ELSEWHERE)
async def test_a_secret_in_another_place_is_refused(world: World, key: str, secrets: str) -> None:
    other = await world.add_project()
    await connect(world, key, config={"api_key": SECRET, "webhook_secret": "whsec_of_the_first"})
    await connect(world, key, other, config={"api_key": "sk_of_the_other", "webhook_secret": "whsec_of_the_other"})
    await world.conn.execute(f"update integrations i set secrets = ({secrets})")
    with capture_logs() as logs:
        answer = await world.send("GET", path(world.project_id, "/revenuecat/webhook-setup"), as_=key)
    assert refusal(answer) == (409, "cannot_decrypt")
    for secret in (SECRET, "sk_of_the_other", "whsec_of_the_first", "whsec_of_the_other"):
        assert secret not in answer.text + str(logs)


# Addresses


async def test_addresses_are_the_configured_ones_whatever_the_host_header_says(
    world: World, key: str, database_url: str, tmp_path: Any
) -> None:
    async def asked(served: Served) -> str:
        headers = {
            "host": "evil.example",
            "x-forwarded-host": "evil.example",
            "forwarded": "host=evil.example",
            "x-forwarded-proto": "evil",
            "authorization": f"Bearer {key}",
        }
        url = f"{served.url}{path(world.project_id, '/revenuecat/webhook-setup')}"
        answer = await world.http.get(url, headers=headers)
        assert answer.status_code == 200
        assert "evil" not in answer.text + str(answer.headers)
        found: str = answer.json()["webhook_setup"]["webhook_url"]
        return found

    await connect(world, key)
    rest = f"/v1/webhooks/revenuecat/{world.project_id}"
    assert await asked(world.served) == f"http://127.0.0.1:8585{rest}"
    folder = world.served.api.state.tawny.settings.data_dir
    with serve(database_url, folder, public_url="https://jobs.example.com/tawny/") as behind_tls:
        assert await asked(behind_tls) == f"https://jobs.example.com/tawny{rest}"
