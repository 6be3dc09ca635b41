"""Signing in with a code that was mailed, and out again."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from email import message_from_bytes
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.waiting import until

from api.world import SECRET, Served, World, is_time, refusal, serve
from tawny.access import PERMISSIONS, Actor, create_team, permissions_of
from tawny.access.key_text import looks_valid

SEND, VERIFY, AGENT = "/v1/auth/send-code", "/v1/auth/verify-code", "/v1/auth/agent-login"
NEW = "someone.new@example.com"


async def post(world: World, path: str, *, client: str | None = None, at: Served | None = None, **body: Any) -> httpx.Response:
    """POST without a credential, as a client at another address and to another server, if given. `...` leaves a field out."""
    sent = {name: value for name, value in body.items() if value is not ...}
    headers = {} if client is None else {"x-forwarded-for": client}
    return await world.http.post(f"{at.url if at else ''}{path}", json=sent, headers=headers)


async def known_address(world: World) -> str:
    return await world.address_of((await world.add_user("member")).id)


async def mail_to(served: Served, address: str) -> str:
    """The text of the mail that has been written for this address."""
    outbox = served.api.state.tawny.settings.data_dir / "outbox"

    async def arrived() -> str | None:
        mails = [message_from_bytes(path.read_bytes()) for path in sorted(outbox.glob("*.eml"))]
        texts = [mail.get_payload() for mail in mails if mail["to"] == address]
        return texts[-1] if texts else None

    return await until(arrived, f"a mail to {address}") or ""


def code_in(text: str) -> str:
    (code,) = [line.strip() for line in text.splitlines() if line.strip().isdigit()]
    return code


# Codes


async def test_a_code_is_mailed_and_signs_in(world: World) -> None:
    email = await known_address(world)
    answer = await post(world, SEND, email=email.upper())
    assert (answer.status_code, answer.json()) == (200, {"message": "Verification code sent"})
    code = code_in(await mail_to(world.served, email))
    assert len(code) == 6
    assert code not in answer.text
    assert (await post(world, VERIFY, email=email, code=code)).status_code == 200


async def test_the_answer_is_the_same_for_an_address_that_nobody_has(world: World) -> None:
    known, unknown = await post(world, SEND, email=await known_address(world)), await post(world, SEND, email=NEW)
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    same = {"date"}
    assert {k: v for k, v in known.headers.items() if k not in same} == {
        k: v for k, v in unknown.headers.items() if k not in same
    }


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "a@",
        "@example.com",
        "a@b\r\nBcc: x@example.com",
        "a@b\n",
        " a@example.com",
        "a@example.com ",
        "a b@example.com",
        "a@b@example.com",
        f"{'a' * 250}@example.com",
        f"{'a' * 65}@example.com",
        '"a b"@example.com',
        '"a"@example.com',
        "<script>@example.com",
        "a@<script>",
        "jos\u00e9@example.com",
        "a@ex\u00e4mple.com",
        "a@\u0435xample.com",
        "a@example.com,b@example.com",
        "a@example.com;b@example.com",
        "A <a@example.com>",
        "a@[127.0.0.1]",
        "a@-example.com",
        "a..b@example.com",
        "a@example..com",
        "a@example.com\u0085",
        "a@b\u2028c",
    ],
)
async def test_what_is_no_address_is_refused_everywhere(world: World, address: str) -> None:
    for path, more in ((SEND, {}), (VERIFY, {"code": "123456"}), (AGENT, {"code": "123456"})):
        answer = await post(world, path, email=address, **more)
        assert refusal(answer) == (400, "invalid_email"), path
        assert "bcc" not in answer.text.lower()
    assert await world.conn.fetchval("select count(*) from sign_in_codes") == 0


@pytest.mark.parametrize(
    ("path", "body", "code", "named"),
    [
        (SEND, {}, "missing_field", "email"),
        (SEND, {"email": None}, "invalid_field", "email"),
        (SEND, {"email": ["a@example.com"]}, "invalid_field", "email"),
        (SEND, {"email": {"to": "a@example.com"}}, "invalid_field", "email"),
        (SEND, {"email": NEW, "code": "123456"}, "unknown_field", "code"),
        (SEND, {"email": NEW, "cc": NEW}, "unknown_field", "cc"),
        (VERIFY, {"email": NEW}, "missing_field", "code"),
        (VERIFY, {"email": NEW, "code": 123456}, "invalid_field", "code"),
        (VERIFY, {"email": NEW, "code": None}, "invalid_field", "code"),
        (VERIFY, {"email": NEW, "code": ["123456"]}, "invalid_field", "code"),
        (VERIFY, {"email": NEW, "code": "123456", "team_id": str(uuid4())}, "unknown_field", "team_id"),
        (AGENT, {"email": NEW}, "missing_field", "code"),
        (AGENT, {"email": NEW, "code": 123456}, "invalid_field", "code"),
        (AGENT, {"email": NEW, "code": "123456", "team_id": "x"}, "invalid_field", "team_id"),
        (AGENT, {"email": NEW, "code": "123456", "role": "owner"}, "unknown_field", "role"),
    ],
)
async def test_a_wrong_body_is_refused_by_name(world: World, path: str, body: dict[str, Any], code: str, named: str) -> None:
    answer = await world.http.post(path, json=body)
    assert refusal(answer) == (400, code)
    assert named in answer.json()["error"]
    assert "123456" not in answer.text


async def test_the_five_codes_of_an_hour_are_counted_for_each_address(world: World) -> None:
    email = await known_address(world)
    statuses = [(await post(world, SEND, email=email)).status_code for _ in range(5)]
    assert statuses == [200] * 5
    refused = await post(world, SEND, email=email)
    assert refusal(refused) == (429, "too_many_requests")
    assert 1 <= int(refused.headers["retry-after"]) <= 3600
    assert refused.json()["retry_after"] == int(refused.headers["retry-after"])
    assert (await post(world, SEND, email=NEW)).status_code == 200
    await world.conn.execute("update rate_limits set paid_until = now() + interval '48 minutes' where subject like 'codes:%'")
    assert (await post(world, SEND, email=email)).status_code == 200
    assert (await post(world, SEND, email=email)).status_code == 429


@pytest.mark.slow
async def test_servers_on_one_database_share_the_limit(world: World, database_url: str, tmp_path: Path) -> None:
    email = await known_address(world)
    with serve(database_url, tmp_path / "b") as second, serve(database_url, tmp_path / "c") as third:
        servers = [world.served, second, third]
        answers = await asyncio.gather(*(post(world, SEND, email=email, at=servers[n % 3]) for n in range(12)))
        assert Counter(answer.status_code for answer in answers) == {200: 5, 429: 7}


async def test_codes_are_counted_for_each_client_too(world: World) -> None:
    answers = [await post(world, SEND, email=f"{n}@example.com") for n in range(31)]
    assert [answer.status_code for answer in answers] == [200] * 30 + [429]


@pytest.mark.slow
async def test_a_client_cannot_invent_where_it_comes_from(world: World, database_url: str, tmp_path: Path) -> None:
    async def statuses(at: Served, said: str) -> Counter[int]:
        """What 31 requests get that each say something else about where they come from."""
        clients = [said.format(n) for n in range(31)]
        answers = [await post(world, SEND, email=f"{uuid4()}@example.com", client=client, at=at) for client in clients]
        return Counter(answer.status_code for answer in answers)

    assert await statuses(world.served, "10.0.0.{}") == {200: 30, 429: 1}
    with serve(database_url, tmp_path, proxies=1) as behind_a_proxy:
        assert await statuses(behind_a_proxy, "10.0.0.{}") == {200: 31}
        assert await statuses(behind_a_proxy, "10.1.0.{}, 192.0.2.1") == {200: 30, 429: 1}


@pytest.mark.parametrize("path", [VERIFY, AGENT])
async def test_a_code_that_is_not_good_is_the_same_401(world: World, path: str) -> None:
    email, other = await known_address(world), await known_address(world)
    answers = [await post(world, path, email=NEW, code="000000")]

    async def refused(code: str) -> None:
        answers.append(await post(world, path, email=email, code=code))

    await refused("123456")  # none was asked for
    await refused(await world.code_for(other))
    await world.code_for(email)
    right = await world.code_for(email)
    wrong = f"{(int(right) + 1) % 10**6:06}"
    await refused(wrong)
    fullwidth = "".join(chr(ord("\uff10") + int(digit)) for digit in right)
    for text in (fullwidth, f" {right}", f"{right}\n", right[:5]):
        await refused(text)
    await refused(right)  # five were wrong
    right = await world.code_for(email)
    await world.conn.execute("update sign_in_codes set expires_at = now()")
    await refused(right)
    right = await world.code_for(email)
    assert (await post(world, path, email=email, code=right)).is_success
    await refused(right)  # used
    old, new = await world.code_for(email), await world.code_for(email)
    if old != new:
        await refused(old)
    assert {(answer.status_code, answer.content) for answer in answers} == {(401, answers[0].content)}
    assert refusal(answers[0]) == (401, "invalid_code")


async def test_a_code_is_for_both_ways_to_sign_in_together(world: World) -> None:
    email = await known_address(world)
    code = await world.code_for(email)
    assert (await post(world, AGENT, email=email, code=code)).status_code == 201
    assert (await post(world, VERIFY, email=email, code=code)).status_code == 401


async def test_one_code_sprayed_over_many_addresses_is_soon_a_429(world: World) -> None:
    answers = [await post(world, VERIFY, email=f"{n}@example.com", code="000000") for n in range(70)]
    assert [answer.status_code for answer in answers] == [401] * 60 + [429] * 10
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 3600


@pytest.mark.slow
async def test_a_hundred_who_show_one_right_code_make_one_session(world: World, database_url: str, tmp_path: Path) -> None:
    email = await known_address(world)
    code = await world.code_for(email)
    with serve(database_url, tmp_path, proxies=1) as other:  # each from an address of its own, so that no limit helps
        answers = await asyncio.gather(
            *(post(world, VERIFY, email=email, code=code, client=f"10.0.0.{n}", at=other) for n in range(100))
        )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 99}
    assert await world.conn.fetchval("select count(*) from sessions") == 1


# People


async def test_a_person_gets_a_token(world: World) -> None:
    user = await world.add_user("admin")
    email = await world.address_of(user.id)
    answer = await post(world, VERIFY, email=email, code=await world.code_for(email))
    assert answer.status_code == 200
    signed_in = answer.json()
    assert set(signed_in) == {"token", "user", "teams", "is_new_user"}
    assert is_time(signed_in["user"].pop("created_at"))
    assert signed_in["user"] == {"id": str(user.id), "email": email}
    assert signed_in["teams"] == [await team_of(world, "admin")]
    assert signed_in["is_new_user"] is False
    assert (await world.list(as_=signed_in["token"])).status_code == 200
    assert await world.conn.fetchval("select count(*) from sessions where user_id = $1", user.id) == 1


async def team_of(world: World, role: str | None = None) -> dict[str, str]:
    row = await world.conn.fetchrow("select name, slug from teams where id = $1", world.team_id)
    return {"id": str(world.team_id), "name": row["name"], "slug": row["slug"]} | ({"role": role} if role else {})


async def test_a_new_user_gets_a_team_of_their_own(world: World) -> None:
    answer = await post(world, VERIFY, email=NEW, code=await world.code_for(NEW))
    assert answer.status_code == 201
    signed_in = answer.json()
    (team,) = signed_in["teams"]
    assert (signed_in["is_new_user"], team["role"]) == (True, "owner")
    assert (set(team), team["name"]) == ({"id", "name", "slug", "role"}, "Someone.new's team")
    again = await post(world, VERIFY, email=NEW, code=await world.code_for(NEW))
    assert (again.status_code, again.json()["is_new_user"], again.json()["teams"]) == (200, False, [team])


async def test_the_cookie_is_for_browsers_and_no_script(world: World, database_url: str, tmp_path: Path) -> None:
    email = await known_address(world)
    answer = await post(world, VERIFY, email=email, code=await world.code_for(email))
    token = answer.json()["token"]
    assert answer.headers["set-cookie"] == f"tawny_session={token}; HttpOnly; SameSite=Lax; Path=/; Max-Age=604800"
    with serve(database_url, tmp_path, public_url="https://jobs.example.com") as behind_tls:
        answer = await post(world, VERIFY, email=email, code=await world.code_for(email), at=behind_tls)
        assert answer.headers["set-cookie"].startswith("__Host-tawny_session=")
        assert answer.headers["set-cookie"].endswith("; Secure")
    world.http.cookies.clear()


async def test_the_api_reads_no_cookie(world: World) -> None:
    token = await world.token_of("owner")
    for name in ("tawny_session", "__Host-tawny_session"):
        answer = await world.send("GET", "/v1/auth/whoami", as_=None, headers={"cookie": f"{name}={token}"})
        assert answer.status_code == 401


async def test_where_sign_up_is_off_an_unknown_address_gets_no_mail_and_no_account(
    world: World, database_url: str, tmp_path: Path
) -> None:
    users = await world.conn.fetchval("select count(*) from users")
    with serve(database_url, tmp_path, signup=False) as closed:
        told = await post(world, SEND, email=NEW, at=closed)
        assert (told.status_code, told.json()) == (200, {"message": "Verification code sent"})
        for path in (VERIFY, AGENT):
            answer = await post(world, path, email=NEW, code=await world.code_for(NEW), at=closed)
            assert refusal(answer) == (401, "invalid_code")
        email = await known_address(world)
        await post(world, SEND, email=email, at=closed)
        assert code_in(await mail_to(closed, email))
        assert (await post(world, VERIFY, email=email, code=await world.code_for(email), at=closed)).status_code == 200
        assert len(list((tmp_path / "outbox").iterdir())) == 1
    assert await world.conn.fetchval("select count(*) from users") == users + 1


# Agents


async def test_an_agent_gets_a_key_with_all_that_the_role_allows(world: World) -> None:
    for role in ("member", "admin", "owner"):
        email = await world.address_of((await world.add_user(role)).id)
        answer = await post(world, AGENT, email=email, code=await world.code_for(email))
        assert answer.status_code == 201
        made = answer.json()
        assert set(made) == {"api_key", "team"}
        assert made["team"] == await team_of(world)
        assert looks_valid(made["api_key"])
        who = (await world.send("GET", "/v1/auth/whoami", as_=made["api_key"])).json()
        assert who["permissions"] == [name for name in PERMISSIONS if name in permissions_of(role)]
        assert "system:read" not in who["permissions"]
    assert who["permissions"] == [name for name in PERMISSIONS if name != "system:read"]


async def test_a_new_agent_gets_a_user_and_a_team(world: World) -> None:
    answer = await post(world, AGENT, email=NEW, code=await world.code_for(NEW))
    assert (answer.status_code, answer.json()["team"]["name"]) == (201, "Someone.new's team")
    (listed,) = (await world.send("GET", "/v1/teams", as_=answer.json()["api_key"])).json()["teams"]
    assert listed == answer.json()["team"] | {"role": "owner"}


async def test_who_is_in_several_teams_names_one(world: World) -> None:
    email = "two.teams@example.com"
    first = (await create_team(world.conn, Actor.host(), name="First", owner_email=email)).team_id
    second = (await create_team(world.conn, Actor.host(), name="Second", owner_email=email)).team_id
    code = await world.code_for(email)
    asked = await post(world, AGENT, email=email, code=code)
    assert refusal(asked) == (400, "team_required")
    assert [(team["id"], team["name"], team["role"]) for team in asked.json()["teams"]] == [
        (str(first), "First", "owner"),
        (str(second), "Second", "owner"),
    ]
    assert all(set(team) == {"id", "name", "slug", "role"} for team in asked.json()["teams"])
    for foreign in (world.team_id, uuid4()):
        refused = await post(world, AGENT, email=email, code=code, team_id=str(foreign))
        assert refusal(refused) == (403, "not_a_member")
    assert await world.conn.fetchval("select count(*) from api_keys where team_id = any($1)", [first, second]) == 0
    made = await post(world, AGENT, email=email, code=code, team_id=str(second))
    assert (made.status_code, made.json()["team"]["id"]) == (201, str(second))


async def test_who_is_in_no_team_is_told_so(world: World, database_url: str, tmp_path: Path) -> None:
    user_id = (await world.add_user("member")).id
    email = await world.address_of(user_id)
    await world.conn.execute("delete from memberships where user_id = $1", user_id)
    with serve(database_url, tmp_path, signup=False) as closed:
        refused = await post(world, AGENT, email=email, code=await world.code_for(email), at=closed)
        assert refusal(refused) == (403, "not_a_member")


# Who one is


async def test_a_key_is_told_who_it_is(world: World) -> None:
    key = await world.add_key("projects:read", "jobs:read")
    answer = await world.send("GET", "/v1/auth/whoami", as_=key)
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "type": "api_key",
            "key_type": "agent",
            "team": await team_of(world),
            "permissions": ["jobs:read", "projects:read"],
        },
    )


async def test_a_user_is_told_who_they_are(world: World) -> None:
    user = await world.add_user("member")
    answer = (await world.send("GET", "/v1/auth/whoami", as_=await world.token(user.id))).json()
    email = await world.address_of(user.id)
    assert is_time(answer["user"].pop("created_at"))
    assert answer == {
        "type": "user",
        "email": email,
        "user": {"id": str(user.id), "email": email},
        "teams": [await team_of(world, "member")],
    }


async def test_nobody_is_refused(world: World) -> None:
    assert refusal(await world.send("GET", "/v1/auth/whoami", as_=None)) == (401, "unauthenticated")


# Out


@pytest.mark.slow
async def test_a_token_is_refused_everywhere_once_its_user_has_logged_out(
    world: World, database_url: str, tmp_path: Path
) -> None:
    user = await world.add_user("admin")
    token, other = await world.token(user.id), await world.token(user.id)
    with serve(database_url, tmp_path) as second:
        headers = {"authorization": f"Bearer {token}"}
        assert (await world.http.get(f"{second.url}/v1/teams", headers=headers)).status_code == 200
        answer = await world.send("POST", "/v1/auth/logout", as_=token)
        assert (answer.status_code, answer.json()) == (200, {"logged_out": True})
        assert "Max-Age=0" in answer.headers["set-cookie"]

        async def refused() -> bool:
            answers = [await world.http.get(f"{url}/v1/teams", headers=headers) for url in (second.url, world.served.url)]
            return [answer.status_code for answer in answers] == [401, 401]

        async with asyncio.timeout(1):
            await until(refused, "the refusal of a session that was ended")
    assert (await world.send("GET", "/v1/teams", as_=other)).status_code == 200


async def test_a_key_cannot_log_out(world: World) -> None:
    assert refusal(await world.send("POST", "/v1/auth/logout")) == (403, "insufficient_permission")
    assert refusal(await world.send("POST", "/v1/auth/logout", as_=None)) == (401, "unauthenticated")


async def test_nothing_of_a_code_or_a_token_is_stored_as_it_is(world: World) -> None:
    email = await known_address(world)
    await post(world, SEND, email=email)
    code = code_in(await mail_to(world.served, email))
    row = json.dumps([str(value) for value in await world.conn.fetchrow("select * from sign_in_codes")])
    token = (await post(world, VERIFY, email=email, code=code)).json()["token"]
    rows = await world.conn.fetch("select s::text from sessions s union all select a::text from audit_log a")
    assert code not in row
    assert not [row for (row,) in rows if token in row or token.rpartition(".")[2] in row]
    assert SECRET.decode() not in row


async def test_each_sign_in_leaves_one_row_in_the_audit_log(world: World) -> None:
    async def rows() -> list[tuple[Any, ...]]:
        found = await world.conn.fetch(
            "select actor_type, actor_id, action, resource_type from audit_log where actor_id = $1", user.id
        )
        return sorted(tuple(row) for row in found)

    user = await world.add_user("member")
    email = await world.address_of(user.id)
    signed_in = await post(world, VERIFY, email=email, code=await world.code_for(email))
    await post(world, VERIFY, email=email, code="000000")
    await post(world, AGENT, email=email, code=await world.code_for(email))
    await world.send("POST", "/v1/auth/logout", as_=signed_in.json()["token"])
    by: tuple[str, UUID] = ("user", user.id)
    assert await rows() == [(*by, "create", "api_key"), (*by, "create", "session"), (*by, "delete", "session")]
