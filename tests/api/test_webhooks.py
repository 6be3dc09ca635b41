"""Where a team's news are posted to, over the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.notifications.test_target import PRIVATE, WRONG

from api.world import World, is_time, refusal, serve
from tawny.notifications import target

FIELDS = {
    "id",
    "team_id",
    "name",
    "format",
    "events",
    "url",
    "enabled",
    "disabled_because",
    "old_secret_until",
    "created_at",
    "updated_at",
}
POSTED = {"id", "webhook_id", "run_id", "event", "status", "tries", "due_at", "created_at", "ended_at"}
URL = "https://8.8.8.8/hook/a-secret"


def path(world: World, rest: str = "", team_id: Any = None) -> str:
    return f"/v1/teams/{team_id or world.team_id}/webhooks{rest}"


async def admin(world: World) -> str:
    return await world.token_of("admin")


async def create(world: World, as_: str | None, **body: Any) -> httpx.Response:
    return await world.send("POST", path(world), as_=as_, json={"name": "Deploy bot", "url": URL} | body)


async def made(world: World, as_: str, **body: Any) -> dict[str, Any]:
    answer = await create(world, as_, **body)
    assert answer.status_code == 201, answer.text
    webhook: dict[str, Any] = answer.json()
    return webhook


async def test_a_webhook_is_made_listed_viewed_changed_and_deleted(world: World) -> None:
    token = await admin(world)
    webhook = await made(world, token, events=["failed"])
    secret = webhook.pop("secret")
    assert secret.startswith("whsec_")
    assert set(webhook) == FIELDS
    assert is_time(webhook["created_at"])
    shown = {"name": "Deploy bot", "format": "json", "events": ["failed"], "url": "https://8.8.8.8/hook****", "enabled": True}
    assert {name: webhook[name] for name in shown} == shown
    at = path(world, f"/{webhook['id']}")
    assert (await world.send("GET", path(world), as_=token)).json() == {"webhooks": [webhook]}
    assert (await world.send("GET", at, as_=token)).json() == webhook
    changed = await world.send("PATCH", at, as_=token, json={"name": "Bot", "enabled": False, "url": "https://8.8.4.4/"})
    assert (changed.status_code, set(changed.json())) == (200, FIELDS)
    assert {name: changed.json()[name] for name in ("name", "enabled", "url")} == {
        "name": "Bot",
        "enabled": False,
        "url": "https://8.8.4.4/",
    }
    assert (await world.send("DELETE", at, as_=token)).json() == {"deleted": True}
    assert (await world.send("GET", path(world), as_=token)).json() == {"webhooks": []}
    assert await world.audited() == ["create webhook", "delete webhook", "update webhook"]


async def test_the_secret_is_rotated_and_the_new_one_shown_once(world: World) -> None:
    token = await admin(world)
    webhook = await made(world, token)
    at = path(world, f"/{webhook['id']}")
    answer = await world.send("POST", f"{at}/rotate-secret", as_=token)
    rotated = answer.json()
    assert (answer.status_code, set(rotated)) == (200, FIELDS | {"secret"})
    assert rotated.pop("secret") not in ("", webhook["secret"])
    assert is_time(rotated["old_secret_until"])
    assert (await world.send("GET", at, as_=token)).json() == rotated
    at_once = await world.send("POST", f"{at}/rotate-secret", as_=token, json={"overlap_hours": 0})
    assert at_once.json()["old_secret_until"] is None
    assert await world.audited() == ["create webhook", "update webhook", "update webhook"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"overlap_hours": -1}, "invalid_overlap"),
        ({"overlap_hours": 169}, "invalid_overlap"),
        ({"overlap_hours": "1"}, "invalid_field"),
        ({"secret": "whsec_mine"}, "unknown_field"),
    ],
)
async def test_a_wrong_overlap_is_refused(world: World, body: dict[str, Any], code: str) -> None:
    token = await admin(world)
    webhook = await made(world, token)
    answer = await world.send("POST", path(world, f"/{webhook['id']}/rotate-secret"), as_=token, json=body)
    assert refusal(answer) == (400, code)


async def test_a_message_is_posted_looked_at_and_posted_once_more(world: World) -> None:
    token = await admin(world)
    at = path(world, f"/{(await made(world, token))['id']}")
    answer = await world.send("POST", f"{at}/test", as_=token)
    assert (answer.status_code, set(answer.json())) == (201, POSTED)
    sent = answer.json()
    assert (sent["event"], sent["status"], sent["run_id"], sent["tries"]) == ("test", "pending", None, 0)
    assert is_time(sent["due_at"])
    listed = await world.send("GET", f"{at}/deliveries", as_=token)
    assert listed.json() == {"deliveries": [sent], "cursor": None, "has_more": False}
    one = f"{at}/deliveries/{sent['id']}"
    assert (await world.send("GET", one, as_=token)).json() == sent | {"request": None, "log": []}
    assert refusal(await world.send("POST", f"{one}/redeliver", as_=token)) == (409, "not_ended")
    log = '[{"at": "2026-03-04T05:06:07.000Z", "seconds": 0.1, "status": 500, "answer": "no"}]'
    await world.conn.execute(
        f"update deliveries set status = 'failed', ended_at = now(), tries = 1, log = '{log}', request = '{{}}'"
    )
    found = (await world.send("GET", one, as_=token)).json()
    assert (found["status"], found["due_at"], found["request"]) == ("failed", None, "{}")
    assert found["log"] == [{"at": "2026-03-04T05:06:07.000Z", "seconds": 0.1, "status": 500, "answer": "no", "error": None}]
    again = await world.send("POST", f"{one}/redeliver", as_=token)
    assert (again.status_code, again.json()["status"], again.json()["id"]) == (200, "pending", sent["id"])


async def test_deliveries_come_page_by_page(world: World) -> None:
    token = await admin(world)
    at = path(world, f"/{(await made(world, token))['id']}")
    ids = {(await world.send("POST", f"{at}/test", as_=token)).json()["id"] for _ in range(5)}
    found, params = [], {"limit": 2}
    while True:
        page = (await world.send("GET", f"{at}/deliveries", as_=token, params=params)).json()
        found += [delivery["id"] for delivery in page["deliveries"]]
        assert page["has_more"] == (page["cursor"] is not None)
        if not page["has_more"]:
            break
        params["cursor"] = page["cursor"]
    assert (len(found), set(found)) == (5, ids)


async def test_the_end_of_a_run_becomes_a_delivery(world: World) -> None:
    from tawny.notifications.statements import queries

    token = await admin(world)
    at = path(world, f"/{(await made(world, token))['id']}")
    run_id = await world.ended("failed")
    await queries.address(world.conn, at_most=10, alert_email=None)
    (delivery,) = (await world.send("GET", f"{at}/deliveries", as_=token)).json()["deliveries"]
    assert (delivery["run_id"], delivery["event"]) == (str(run_id), "failed")


async def test_members_and_keys_have_nothing_to_do_with_webhooks(world: World) -> None:
    webhook = await made(world, await admin(world))
    member = await world.token_of("member")
    for rest in ("", f"/{webhook['id']}", f"/{webhook['id']}/deliveries"):
        assert refusal(await world.send("GET", path(world, rest), as_=member)) == (403, "insufficient_role")
        assert refusal(await world.send("GET", path(world, rest))) == (403, "insufficient_permission")


async def test_what_is_no_plain_url_is_refused(world: World) -> None:
    token = await admin(world)
    for url in WRONG:
        code = "invalid_character" if "\x00" in url else "invalid_url"
        assert refusal(await create(world, token, url=url)) == (400, code), ascii(url)


async def test_what_leads_into_a_private_network_is_refused(world: World) -> None:
    token = await admin(world)
    webhook = await made(world, token)
    for url in PRIVATE:
        assert refusal(await create(world, token, url=url)) == (400, "private_address"), url
        answer = await world.send("PATCH", path(world, f"/{webhook['id']}"), as_=token, json={"url": url})
        assert refusal(answer) == (400, "private_address"), url


async def test_a_name_that_leads_inside_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"inside.example.com": ["10.0.0.1"], "both.example.com": ["8.8.8.8", "::1"], "good.example.com": ["8.8.8.8"]}

    async def lookup(host: str, port: int) -> list[str]:
        if host not in answers:
            raise OSError("no such name")
        return answers[host]

    monkeypatch.setattr(target, "lookup", lookup)
    token = await admin(world)
    assert refusal(await create(world, token, url="https://inside.example.com/")) == (400, "private_address")
    assert refusal(await create(world, token, url="https://both.example.com/")) == (400, "private_address")
    assert refusal(await create(world, token, url="https://unknown.example.com/")) == (400, "unknown_host")
    assert (await create(world, token, url="https://good.example.com/")).status_code == 201


async def test_an_operator_may_let_webhooks_lead_inside(world: World, database_url: str, tmp_path: Path) -> None:
    token = await admin(world)
    with serve(database_url, tmp_path, private_webhooks=True) as second:
        answer = await world.http.post(
            f"{second.url}{path(world)}",
            headers={"authorization": f"Bearer {token}"},
            json={"name": "Mine", "url": "http://127.0.0.1:9/hook"},
        )
    assert (answer.status_code, answer.json()["url"]) == (201, "http://127.0.0.1:9/hook")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": None}, "missing_field"),
        ({"url": None}, "missing_field"),
        ({"name": 5}, "invalid_field"),
        ({"name": ""}, "invalid_name"),
        ({"url": 5}, "invalid_field"),
        ({"events": "failed"}, "invalid_field"),
        ({"events": []}, "unknown_event"),
        ({"events": ["started"]}, "unknown_event"),
        ({"format": "xml"}, "unknown_format"),
        ({"secret": "x"}, "unknown_field"),
    ],
)
async def test_a_wrong_body_is_refused_by_name(world: World, body: dict[str, Any], code: str) -> None:
    sent = {"name": "Deploy bot", "url": URL} | body
    sent = {name: value for name, value in sent.items() if value is not None}
    answer = await world.send("POST", path(world), as_=await admin(world), json=sent)
    assert refusal(answer) == (400, code)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "nothing_to_change"),
        ({"enabled": "yes"}, "invalid_field"),
        ({"format": "slack"}, "unknown_field"),
        ({"events": []}, "unknown_event"),
        ({"url": "http://example.com/"}, "invalid_url"),
        ({"name": " "}, "invalid_name"),
    ],
)
async def test_a_wrong_change_is_refused_by_name(world: World, body: dict[str, Any], code: str) -> None:
    token = await admin(world)
    webhook = await made(world, token)
    assert refusal(await world.send("PATCH", path(world, f"/{webhook['id']}"), as_=token, json=body)) == (400, code)


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=x", "limit=1&limit=2"])
async def test_a_wrong_page_is_refused_by_name(world: World, query: str) -> None:
    token = await admin(world)
    webhook = await made(world, token)
    assert (await world.send("GET", path(world, f"/{webhook['id']}/deliveries?{query}"), as_=token)).status_code == 400


async def test_unknown_foreign_and_malformed_webhooks_are_the_same_404(world: World) -> None:
    token = await admin(world)
    other_team, other_owner = await world.add_team()
    theirs = await world.send(
        "POST", path(world, team_id=other_team), as_=await world.token(other_owner), json={"name": "Theirs", "url": URL}
    )
    answers = []
    for webhook_id in (theirs.json()["id"], uuid4(), "nonsense"):
        at = path(world, f"/{webhook_id}")
        answers += [
            await world.send("GET", at, as_=token),
            await world.send("PATCH", at, as_=token, json={"name": "Mine"}),
            await world.send("DELETE", at, as_=token),
            await world.send("POST", f"{at}/rotate-secret", as_=token),
            await world.send("POST", f"{at}/test", as_=token),
            await world.send("GET", f"{at}/deliveries", as_=token),
        ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1


async def test_unknown_and_foreign_deliveries_are_the_same_404(world: World) -> None:
    token = await admin(world)
    one, other = (await made(world, token))["id"], (await made(world, token))["id"]
    elsewhere = (await world.send("POST", path(world, f"/{other}/test"), as_=token)).json()["id"]
    answers = []
    for delivery_id in (elsewhere, uuid4(), "nonsense"):
        at = path(world, f"/{one}/deliveries/{delivery_id}")
        answers += [await world.send("GET", at, as_=token), await world.send("POST", f"{at}/redeliver", as_=token)]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1


async def test_nothing_is_posted_to_a_disabled_webhook(world: World) -> None:
    token = await admin(world)
    at = path(world, f"/{(await made(world, token))['id']}")
    await world.send("PATCH", at, as_=token, json={"enabled": False})
    assert refusal(await world.send("POST", f"{at}/test", as_=token)) == (409, "webhook_disabled")
    assert UUID(at.rpartition("/")[2])
