"""Asking people into a team, by a mail that says where to sign in."""

from __future__ import annotations

from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.waiting import until

from api.world import Served, World, is_time, refusal, serve
from tawny.access import Actor, invite

FIELDS = {"id", "team_id", "team_name", "email", "role", "invited_by", "created_at", "expires_at"}


@pytest.fixture
async def admin(world: World) -> str:
    return await world.token_of("admin")


def path(world: World, rest: str = "", team_id: Any = None) -> str:
    return f"/v1/teams/{team_id or world.team_id}/invitations{rest}"


def address() -> str:
    return f"{uuid4()}@example.com"


async def ask(world: World, as_: str | None, team_id: Any = None, **body: Any) -> httpx.Response:
    """POST an invitation. An argument of `...` leaves the field out."""
    sent = {name: value for name, value in ({"email": address()} | body).items() if value is not ...}
    return await world.send("POST", path(world, team_id=team_id), as_=as_, json=sent)


async def listed(world: World, as_: str, at: str | None = None) -> list[dict[str, Any]]:
    answer = await world.send("GET", at or path(world), as_=as_)
    assert answer.status_code == 200
    assert list(answer.json()) == ["invitations"]
    found: list[dict[str, Any]] = answer.json()["invitations"]
    assert all(set(invitation) == FIELDS for invitation in found)
    return found


async def withdraw(world: World, as_: str | None, invitation_id: Any, team_id: Any = None) -> httpx.Response:
    return await world.send("DELETE", path(world, f"/{invitation_id}", team_id), as_=as_)


async def accept(world: World, as_: str | None, invitation_id: Any) -> httpx.Response:
    return await world.send("POST", f"/v1/invitations/{invitation_id}/accept", as_=as_)


async def mail_to(served: Served, to: str) -> Message:
    outbox = served.api.state.tawny.settings.data_dir / "outbox"

    async def arrived() -> Message | None:
        mails = [message_from_bytes(file.read_bytes()) for file in sorted(outbox.glob("*.eml"))]
        return next((mail for mail in mails if mail["to"] == to), None)

    mail = await until(arrived, f"a mail to {to}")
    assert mail
    return mail


def text_of(mail: Message) -> str:
    text = mail.get_payload(decode=True)
    assert isinstance(text, bytes)
    return text.decode()


async def test_an_invitation_is_mailed_and_listed_until_it_is_withdrawn(world: World) -> None:
    user = await world.add_user("admin")
    token, email = await world.token(user.id), address()
    answer = await ask(world, token, email=email.upper(), role="admin")
    assert answer.status_code == 201
    made = answer.json()
    assert set(made) == FIELDS
    assert UUID(made["id"])
    assert (made["team_id"], made["team_name"]) == (str(world.team_id), "Team")
    assert (made["email"], made["role"], made["invited_by"]) == (email, "admin", str(user.id))
    assert is_time(made["created_at"])
    assert is_time(made["expires_at"])
    assert await listed(world, await world.token_of("member")) == [made]
    mail = await mail_to(world.served, email)
    assert mail.get_all("subject") == ["You are invited to Team on Tawny"]
    assert "as admin" in text_of(mail)
    withdrawn = await withdraw(world, token, made["id"])
    assert (withdrawn.status_code, withdrawn.json()) == (200, {"deleted": True})
    assert await listed(world, token) == []
    assert await world.audited() == ["create invitation", "delete invitation"]


async def test_a_mail_names_the_configured_address_whatever_the_host_header_says(
    world: World, admin: str, database_url: str, tmp_path: Path
) -> None:
    headers = {"host": "evil.example", "x-forwarded-host": "evil.example", "authorization": f"Bearer {admin}"}
    with serve(database_url, tmp_path, public_url="https://jobs.example.com/") as other:
        for served, url in ((world.served, "http://127.0.0.1:8585"), (other, "https://jobs.example.com")):
            email = address()
            answer = await world.http.post(f"{served.url}{path(world)}", json={"email": email}, headers=headers)
            assert answer.status_code == 201
            mail = await mail_to(served, email)
            assert f"Sign in with this address at {url} within 7 days" in text_of(mail)
            assert "evil" not in f"{mail.items()} {text_of(mail)} {answer.text} {answer.headers}"


async def test_a_name_of_a_team_cannot_write_headers(world: World, admin: str) -> None:
    await world.conn.execute("update teams set name = E'Team\\r\\nBcc: x@example.com' where id = $1", world.team_id)
    email = address()
    assert (await ask(world, admin, email=email)).status_code == 201
    mail = await mail_to(world.served, email)
    assert mail["bcc"] is None
    assert mail.get_all("to") == [email]
    assert len(mail.get_all("subject", [])) == 1


async def test_inviting_again_renews_the_invitation(world: World, admin: str) -> None:
    first = (await ask(world, admin, email="a@example.com")).json()
    assert first["role"] == "member"
    again = (await ask(world, admin, email="A@example.com", role="admin")).json()
    assert (again["id"], again["role"]) == (first["id"], "admin")
    assert again["expires_at"] >= first["expires_at"]
    assert await listed(world, admin) == [again]


async def test_a_member_is_not_invited(world: World, admin: str) -> None:
    email = await world.address_of(world.owner_id)
    assert refusal(await ask(world, admin, email=email)) == (409, "already_member")
    assert await listed(world, admin) == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"email": ...}, "missing_field"),
        ({"email": None}, "invalid_field"),
        ({"email": ["a@example.com"]}, "invalid_field"),
        ({"email": "a@b\r\nBcc: x@example.com"}, "invalid_email"),
        ({"email": "a@example.com,b@example.com"}, "invalid_email"),
        ({"email": "<script>@example.com"}, "invalid_email"),
        ({"role": "Owner"}, "invalid_field"),
        ({"role": None}, "invalid_field"),
        ({"role": "root"}, "invalid_field"),
        ({"team_name": "Another"}, "unknown_field"),
        ({"invited_by": str(uuid4())}, "unknown_field"),
    ],
)
async def test_a_wrong_body_is_refused_by_name(world: World, admin: str, body: dict[str, Any], code: str) -> None:
    assert refusal(await ask(world, admin, **body)) == (400, code)
    assert await listed(world, admin) == []


async def test_only_owners_invite_owners(world: World, admin: str) -> None:
    assert refusal(await ask(world, admin, role="owner")) == (403, "insufficient_role")
    assert (await ask(world, await world.token(world.owner_id), role="owner")).status_code == 201


async def test_a_team_invites_a_hundred_a_day(world: World, admin: str) -> None:
    await ask(world, admin)
    await world.conn.execute("update rate_limits set paid_until = now() + interval '1 day' where subject like 'invitations:%'")
    refused = await ask(world, admin)
    assert refusal(refused) == (429, "too_many_requests")
    assert 1 <= int(refused.headers["retry-after"]) <= 865


# Joining


async def test_who_is_in_a_team_accepts_and_is_in_both(world: World) -> None:
    user = await world.add_user("member")
    other_team, their_owner = await world.add_team()
    email = await world.address_of(user.id)
    made = (await ask(world, await world.token(their_owner), other_team, email=email, role="admin")).json()
    token = await world.token(user.id)
    assert await listed(world, token, "/v1/invitations") == [made]
    answer = await accept(world, token, made["id"])
    assert (answer.status_code, answer.json()) == (201, {"team_id": str(other_team)})
    assert await listed(world, token, "/v1/invitations") == []
    fresh = await world.token(user.id)
    teams = (await world.send("GET", "/v1/teams", as_=fresh)).json()["teams"]
    assert {team["id"]: team["role"] for team in teams} == {str(world.team_id): "member", str(other_team): "admin"}


async def test_who_is_in_no_team_joins_by_signing_in(world: World, admin: str) -> None:
    other_team, their_owner = await world.add_team()
    email = address()
    await ask(world, admin, email=email, role="admin")
    await ask(world, await world.token(their_owner), other_team, email=email)
    signed_in = await world.http.post("/v1/auth/verify-code", json={"email": email, "code": await world.code_for(email)})
    assert signed_in.status_code == 201
    teams = {team["id"]: team["role"] for team in signed_in.json()["teams"]}
    assert teams == {str(world.team_id): "admin", str(other_team): "member"}
    assert await listed(world, admin) == []


async def test_an_invitation_lets_a_stranger_in_where_sign_up_is_off(
    world: World, admin: str, database_url: str, tmp_path: Path
) -> None:
    email = address()
    await ask(world, admin, email=email)
    with serve(database_url, tmp_path, signup=False) as closed:
        body = {"email": email, "code": await world.code_for(email)}
        signed_in = await world.http.post(f"{closed.url}/v1/auth/verify-code", json=body)
    assert signed_in.status_code == 201
    assert [team["id"] for team in signed_in.json()["teams"]] == [str(world.team_id)]


async def test_unknown_foreign_and_used_invitations_are_the_same_404(world: World, admin: str) -> None:
    user = await world.add_user("member")
    token, email = await world.token(user.id), await world.address_of(user.id)
    other_team, _ = await world.add_team()
    elsewhere = await invite(world.conn, Actor.host(), other_team, email=address(), role="member")
    used = await invite(world.conn, Actor.host(), other_team, email=email, role="member")
    assert (await accept(world, token, used.id)).status_code == 201
    third, _ = await world.add_team()
    over = await invite(world.conn, Actor.host(), third, email=email, role="member")
    await world.conn.execute("update invitations set expires_at = now() where id = $1", over.id)
    answers = [await accept(world, token, which) for which in (uuid4(), "nope", elsewhere.id, used.id, over.id)]
    answers += [await withdraw(world, admin, which) for which in (uuid4(), "nope", elsewhere.id, used.id)]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
    assert await world.conn.fetchval("select count(*) from invitations where id = $1", elsewhere.id) == 1
    assert await listed(world, token, "/v1/invitations") == []


async def test_a_key_has_nothing_to_do_with_invitations(world: World) -> None:
    invitation = await invite(world.conn, Actor.host(), world.team_id, email=address(), role="member")
    answers = [
        await world.send("GET", path(world)),
        await world.send("GET", "/v1/invitations"),
        await ask(world, world.key),
        await withdraw(world, world.key, invitation.id),
        await accept(world, world.key, invitation.id),
    ]
    assert {refusal(answer) for answer in answers} == {(403, "insufficient_permission")}


async def test_the_order_of_checks_is_credential_role_request_object(world: World, admin: str) -> None:
    other_team, _ = await world.add_team()
    assert (await ask(world, None, email="?")).status_code == 401
    assert refusal(await ask(world, world.key, email="?")) == (403, "insufficient_permission")
    assert refusal(await ask(world, await world.token_of("member"), email=5)) == (403, "insufficient_role")
    for team_id in (other_team, uuid4(), "nope"):
        assert refusal(await ask(world, admin, team_id, email=5)) == (403, "not_a_member")
        assert refusal(await withdraw(world, admin, uuid4(), team_id)) == (403, "not_a_member")
