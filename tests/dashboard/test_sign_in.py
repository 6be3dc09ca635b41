"""Signing in at a page."""

from __future__ import annotations

import re

import httpx
import pytest
from tests.dashboard.site import said

from api.world import SECRET, World
from tawny.access import Actor, make_link

ADDRESS = "ann@example.com"


async def token(http: httpx.AsyncClient, path: str = "/sign-in") -> str:
    found = re.search(r'name="csrf" value="(\w+)"', (await http.get(path)).text)
    assert found
    return found[1]


async def submit(http: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
    return await http.post(path, data={"csrf": await token(http)} | fields)


async def test_a_person_signs_in_by_a_code(world: World, stranger: httpx.AsyncClient) -> None:
    address = await world.address_of(world.owner_id)
    asked = await submit(stranger, "/sign-in", email=address, next="/teams/x/runs?status=failed")
    assert "Type your code" in said(asked)
    code = await world.code_for(address)
    answer = await submit(
        stranger, "/sign-in/code", email=address, code=f"{code[:3]} {code[3:]}", next="/teams/x/runs?status=failed"
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/teams/x/runs?status=failed")
    assert "HttpOnly; SameSite=Lax; Path=/; Max-Age=604800" in answer.headers["set-cookie"]
    home = await stranger.get("/")
    assert home.headers["location"].startswith("/teams/")


async def test_the_answer_is_the_same_for_every_address(world: World, stranger: httpx.AsyncClient) -> None:
    known = await world.address_of(world.owner_id)
    answers = [await submit(stranger, "/sign-in", email=email) for email in (known, ADDRESS)]
    assert len({said(answer).replace(known, "X").replace(ADDRESS, "X") for answer in answers}) == 1


async def test_a_wrong_code_says_so_and_asks_again(world: World, stranger: httpx.AsyncClient) -> None:
    code = await world.code_for(ADDRESS)
    wrong = "000000" if code != "000000" else "111111"
    answer = await submit(stranger, "/sign-in/code", email=ADDRESS, code=wrong)
    assert answer.status_code == 400
    assert "This code is wrong, used or too old" in said(answer)
    assert "set-cookie" not in answer.headers or "tawny_session" not in answer.headers["set-cookie"]


@pytest.mark.parametrize("email", ["", "nobody", "a@b\r\nBcc: x@y.z", "<script>@x"])
async def test_what_is_no_address_is_told_beside_the_field(email: str, world: World, stranger: httpx.AsyncClient) -> None:
    answer = await submit(stranger, "/sign-in", email=email)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert "<script>@x" not in answer.text


@pytest.mark.parametrize(
    "going", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/\nx", "/sign-out"]
)
async def test_nobody_is_taken_to_another_site(going: str, world: World, stranger: httpx.AsyncClient) -> None:
    code = await world.code_for(ADDRESS)
    answer = await submit(stranger, "/sign-in/code", email=ADDRESS, code=code, next=going)
    assert answer.headers["location"] == "/"


async def test_too_many_tries_are_told_in_words(world: World, stranger: httpx.AsyncClient) -> None:
    for _ in range(5):
        assert (await submit(stranger, "/sign-in", email=ADDRESS)).status_code == 200
    answer = await submit(stranger, "/sign-in", email=ADDRESS)
    assert answer.status_code == 429
    assert "Too many codes were asked for with this address" in said(answer)


async def test_a_form_of_before_the_sign_in_is_not_good_in_another_browser(world: World, stranger: httpx.AsyncClient) -> None:
    """Nobody can be signed in, by a form of another site, as somebody else."""
    theirs = await token(stranger)
    stranger.cookies.clear()
    answer = await stranger.post("/sign-in/code", data={"csrf": theirs, "email": ADDRESS, "code": await world.code_for(ADDRESS)})
    assert answer.status_code == 403


async def test_a_link_signs_in_once_and_looking_at_it_costs_nothing(world: World, stranger: httpx.AsyncClient) -> None:
    _, link = await make_link(world.conn, Actor.host(), await world.address_of(world.owner_id))
    for _ in range(2):
        assert "This link signs you in once" in said(await stranger.get("/sign-in/link", params={"token": link}))
    first = await submit(stranger, "/sign-in/link", token=link)
    assert (first.status_code, first.headers["location"]) == (303, "/")
    assert "tawny_session=" in first.headers["set-cookie"]
    again = await submit(stranger, "/sign-in/link", token=link)
    assert again.status_code == 400
    assert "This link was used already or is too old" in said(again)


async def test_a_link_is_good_for_an_hour(world: World, stranger: httpx.AsyncClient) -> None:
    _, link = await make_link(world.conn, Actor.host(), ADDRESS)
    await world.conn.execute("update sign_in_links set expires_at = now()")
    assert (await submit(stranger, "/sign-in/link", token=link)).status_code == 400


async def test_a_link_is_kept_as_a_hash_only(world: World) -> None:
    _, link = await make_link(world.conn, Actor.host(), ADDRESS)
    kept = await world.conn.fetchval("select token_hash from sign_in_links")
    assert link.encode() not in kept
    assert SECRET not in kept


async def test_who_is_in_no_team_is_told_what_to_do(world: World, stranger: httpx.AsyncClient) -> None:
    user = await world.add_user("member")
    await world.conn.execute("delete from memberships where user_id = $1", user.id)
    stranger.cookies.set("tawny_session", await world.token(user.id))
    assert "Ask an admin of a team to invite" in said(await stranger.get("/"))
