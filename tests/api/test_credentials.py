"""Who is let in: one `Authorization` header with a key or a token that is good now."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from tests.waiting import until

from api.world import SECRET, World
from tawny.access import Actor, issue_token, open_session, revoke_key
from tawny.access.key_text import new_key
from tawny.db.pool import Pool

BODY = "Send a valid API key"


def b64(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def claims(world: World, **changes: Any) -> dict[str, Any]:
    """Those of a session of the owner's, with changes; `...` leaves one out."""
    session_id, _ = await open_session(world.conn, SECRET, world.owner_id)
    now = int(datetime.now(UTC).timestamp())
    good = {
        "iss": "tawny",
        "aud": "tawny:api",
        "sub": str(world.owner_id),
        "iat": now,
        "exp": now + 60,
        "jti": str(session_id),
    } | changes
    return {name: value for name, value in good.items() if value is not ...}


def signed(payload: dict[str, Any], *, key: Any = SECRET, algorithm: str = "HS256", **header: Any) -> str:
    # Not `jwt.encode`: it refuses to make some of the tokens that must be refused.
    return jwt.PyJWS().encode(json.dumps(payload).encode(), key, algorithm=algorithm, headers={"typ": "JWT", **header})


async def refusal(world: World, *headers: str) -> bytes:
    lines = ["GET /v1/jobs/x HTTP/1.1", "host: x", *headers]
    answer = await world.raw(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    assert answer.status == 401, (headers, answer)
    assert answer.headers["www-authenticate"] == "bearer"
    return answer.body


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
async def test_the_scheme_may_be_in_any_case(world: World, scheme: str) -> None:
    answer = await world.http.get(f"/v1/teams/{world.team_id}/jobs", headers={"authorization": f"{scheme} {world.key}"})
    assert answer.status_code == 200


async def test_every_refused_credential_gets_the_same_answer(world: World) -> None:
    key, body = world.key, await refusal(world)
    assert json.loads(body)["code"] == "unauthenticated"
    revoked = await world.add_key()
    await world.conn.execute("update api_keys set revoked_at = now() where last4 = $1", revoked[-4:])
    expired = await world.add_key()
    await world.conn.execute("update api_keys set expires_at = now() where last4 = $1", expired[-4:])
    other_checksum = key[:-1] + ("0" if key[-1] != "0" else "1")
    one_off = key[:10] + ("a" if key[10] != "a" else "b") + key[11:]
    credentials = [
        "",
        "abc",
        new_key()[0],
        revoked,
        expired,
        other_checksum,
        one_off,
        key[:-1],
        key + "a",
        key.upper(),
        f"{key} x",
    ]
    for credential in credentials:
        assert await refusal(world, f"authorization: Bearer {credential}") == body, credential
    basic = base64.b64encode(f"{key}:".encode()).decode()
    for header in (
        key,
        f"Basic {basic}",
        f"Token {key}",
        f"Bearer  {key}",
        f"Bearer\t{key}",
        f"Bearer {key}, Bearer {key}",
        "Bearer " + "x" * 10_000,
    ):
        assert await refusal(world, f"authorization: {header}") == body, header
    assert await refusal(world, f"authorization: Bearer {key}", f"authorization: Bearer {key}") == body
    assert await refusal(world, f"x-api-key: {key}", f"cookie: token={key}") == body


async def test_a_header_with_strange_bytes_is_refused(world: World) -> None:
    for header in ("Bearer \xff\xfe", "Bearer tawny_\xe9", "\xa0"):
        await refusal(world, f"authorization: {header}")


async def test_a_key_in_the_query_is_never_taken(world: World) -> None:
    for name in ("api_key", "key", "token", "access_token", "authorization"):
        answer = await world.send("GET", f"/v1/teams/{world.team_id}/jobs", as_=None, params={name: world.key})
        assert answer.status_code == 401


async def test_a_refusal_asks_no_database_when_the_checksum_is_wrong(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pool, "acquire", lambda _: pytest.fail("the database was asked"))
    await refusal(world, "authorization: Bearer " + "x" * 10_000)


async def test_a_users_token_is_taken(world: World) -> None:
    assert (await world.list(as_=signed(await claims(world)))).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": ...},
        {"exp": 1},
        {"exp": "9999999999"},
        {"exp": 9999999999.5},
        {"iat": ...},
        {"iat": 9_999_999_999},
        {"nbf": 9_999_999_999},
        {"iss": "other"},
        {"iss": ...},
        {"aud": ...},
        {"aud": ["tawny:api"]},
        {"aud": "other"},
        {"sub": ...},
        {"sub": 5},
        {"sub": "not-a-uuid"},
        {"sub": str(uuid4())},
        {"jti": ...},
        {"jti": str(uuid4())},
        {"role": "owner"},
        {"padding": "x" * 64_000},
    ],
    ids=lambda changes: next(iter(changes.items()))[0],
)
async def test_a_token_with_wrong_claims_is_refused(world: World, changes: dict[str, Any]) -> None:
    if "padding" in changes:
        changes = {"padding": "x" * 20_000}  # more than a credential may have, less than all headers may
    await refusal(world, f"authorization: Bearer {signed(await claims(world, **changes))}")


async def test_a_token_with_another_header_is_refused(world: World) -> None:
    good = await claims(world)
    for algorithm in ("none", "None", "NoNe"):
        for signature in ("", signed(good).rsplit(".", 1)[1]):
            await refusal(world, f"authorization: Bearer {b64({'alg': algorithm, 'typ': 'JWT'})}.{b64(good)}.{signature}")
    for algorithm in ("HS384", "HS512"):
        await refusal(world, f"authorization: Bearer {signed(good, key=SECRET * 2, algorithm=algorithm)}")
    headers: list[dict[str, Any]] = [
        {"crit": ["exp"]},
        {"kid": "../../etc/passwd"},
        {"jku": "http://x"},
        {"x5u": "http://x"},
        {"jwk": {}},
        {"typ": "at+jwt"},
    ]
    for header in headers:
        await refusal(world, f"authorization: Bearer {signed(good, **header)}")
    await refusal(world, f"authorization: Bearer {signed(good, key=b'another secret of 32 bytes or more ...')}")
    await refusal(
        world, f"authorization: Bearer {issue_token(SECRET, world.owner_id, uuid4(), datetime.now(UTC) - timedelta(days=8))}"
    )


@pytest.mark.slow
async def test_a_revoked_key_is_refused_soon(world: World) -> None:
    assert (await world.list()).status_code == 200
    owner = Actor("user", world.owner_id, {world.team_id: "owner"}, user_id=world.owner_id)
    key_id = await world.conn.fetchval("select id from api_keys where last4 = $1", world.key[-4:])
    await revoke_key(world.conn, owner, world.team_id, key_id)

    async def refused() -> bool:
        return (await world.list()).status_code == 401

    await until(refused, "the refusal of a revoked key")


@pytest.mark.slow
async def test_a_key_dies_with_its_makers_membership(world: World) -> None:
    admin = await world.add_user("admin")
    key = await world.add_key(maker=admin)
    assert (await world.list(as_=key)).status_code == 200
    await world.conn.execute("delete from memberships where user_id = $1", admin.id)

    async def refused() -> bool:
        return (await world.list(as_=key)).status_code == 401

    await until(refused, "the refusal of a key whose maker has left")
