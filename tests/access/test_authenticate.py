"""From a header to an actor: who is let in, who is not, and how soon a change holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest.mock import ANY
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tawny.access import PERMISSIONS, Actor, Role, issue_token
from tawny.access.authenticate import Authenticator
from tawny.access.key_text import new_key
from tawny.db.pool import Connection, Pool
from tawny.errors import SettingsError, Unauthenticated

AddUser = Callable[[Role], Awaitable[Actor]]
MakeKey = Callable[..., Awaitable[str]]
TokenOf = Callable[[UUID], Awaitable[str]]

SECRET = b"an own secret for tests, 32 bytes or more"
GOOD_KEY = "tawny_0123456789ABCDEFGHIJKLMNOPQRST4PMbyp"  # of nobody; always the same, because it stands in the names of tests
GOOD_TOKEN = issue_token(SECRET, uuid4(), uuid4(), datetime.now(UTC))


class NoDatabase(Pool):
    """Fails the test when the database is asked."""

    def __init__(self) -> None:
        pass

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        raise AssertionError("the database was asked")
        yield


async def refusal(authenticator: Authenticator, header: str | None) -> tuple[str, str]:
    with pytest.raises(Unauthenticated) as refused:
        await authenticator.actor(header)
    return refused.value.code, str(refused.value)


REFUSED = asyncio.run(refusal(Authenticator(NoDatabase(), SECRET), None))


async def test_a_key_acts_for_its_maker_in_its_one_team(
    authenticator: Authenticator, team_id: UUID, add_user: AddUser, make_key: MakeKey, conn: Connection
) -> None:
    maker = await add_user("admin")
    text = await make_key(maker, "jobs:read", "projects:read")
    actor = await authenticator.actor(f"Bearer {text}")
    assert actor == Actor(
        "api_key",
        await conn.fetchval("select id from api_keys"),
        {team_id: "admin"},
        frozenset({"jobs:read", "projects:read"}),
        maker.id,
    )


async def test_a_key_of_the_host_acts_as_the_teams_owner(authenticator: Authenticator, team_id: UUID, make_key: MakeKey) -> None:
    actor = await authenticator.actor(f"Bearer {await make_key(None, *PERMISSIONS)}")
    assert (actor.roles, actor.permissions, actor.user_id) == ({team_id: "owner"}, frozenset(PERMISSIONS), None)


async def test_a_token_lets_its_user_in_with_their_roles(
    authenticator: Authenticator, add_user: AddUser, token_of: TokenOf
) -> None:
    member = await add_user("member")
    assert await authenticator.actor(f"Bearer {await token_of(member.id)}") == replace(member, session_id=ANY)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
async def test_the_scheme_may_be_in_any_case(authenticator: Authenticator, make_key: MakeKey, scheme: str) -> None:
    assert (await authenticator.actor(f"{scheme} {await make_key()}")).kind == "api_key"


@pytest.mark.parametrize(
    "header",
    [
        "",
        " ",
        "Bearer",
        "Bearer ",
        "Bearer  ",
        GOOD_KEY,
        GOOD_TOKEN,
        f"Bearer{GOOD_KEY}",
        f"Bearer\t{GOOD_KEY}",
        f"Bearer:{GOOD_KEY}",
        f" Bearer {GOOD_KEY}",
        f"Bearer  {GOOD_KEY}",
        f"Bearer {GOOD_KEY} ",
        f"Bearer {GOOD_KEY}\n",
        f"Bearer {GOOD_KEY}\0",
        f"Bearer \0{GOOD_KEY}",
        f"Bearer {GOOD_KEY},Bearer {GOOD_KEY}",
        f"Bearer {GOOD_KEY}, {GOOD_KEY}",
        f"Basic {GOOD_KEY}",
        "Basic dXNlcjpwYXNz",
        f"Token {GOOD_KEY}",
        f"Bearer {GOOD_KEY.upper()}",
        f"Bearer {GOOD_KEY[:-1]}",
        f"Bearer {GOOD_KEY}x",
        f"Bearer {GOOD_KEY[:-6]}000000",
        f"Bearer Tawny_{GOOD_KEY[6:]}",
        "Bearer tawny_",
        f"Bearer tawny_{'x' * 10_240}",
        f"Bearer {'x' * 10_240}",
        f"Bearer {'x' * 65_536}",
        f"Bearer tawny_{'é' * 36}",
        "Bearer \ud800",
        f"Bearer {GOOD_TOKEN[:-1]}",
        f"Bearer {GOOD_TOKEN}x",
        f"Bearer {issue_token(b'somebody elses secret of 32 bytes!', uuid4(), uuid4(), datetime.now(UTC))}",
        f"Bearer {issue_token(SECRET, uuid4(), uuid4(), datetime.now(UTC) - timedelta(days=8))}",
        f"Bearer {issue_token(SECRET, uuid4(), uuid4(), datetime.now(UTC) + timedelta(hours=1))}",
        "Bearer null",
        "Bearer undefined",
    ],
    ids=lambda header: repr(header)[:40],
)
async def test_what_cannot_be_ours_is_refused_at_once(header: str) -> None:
    authenticator = Authenticator(NoDatabase(), SECRET)
    assert await refusal(authenticator, header) == REFUSED
    assert authenticator.cached(header) is None


@given(st.text(st.characters(exclude_categories=())), st.sampled_from(["", "Bearer ", "Bearer tawny_", "Basic "]))
def test_no_text_does_more_than_be_refused(text: str, before: str) -> None:
    assert asyncio.run(refusal(Authenticator(NoDatabase(), SECRET), before + text)) == REFUSED


@given(st.binary(), st.sampled_from([b"", b"Bearer ", b"Bearer tawny_"]))
def test_no_bytes_do_more_than_be_refused(header: bytes, before: bytes) -> None:
    assert asyncio.run(refusal(Authenticator(NoDatabase(), SECRET), (before + header).decode("latin-1"))) == REFUSED


@given(st.data())
def test_a_key_with_one_character_off_is_refused_without_asking(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(GOOD_KEY) - 1))
    other = data.draw(st.characters().filter(lambda character: character != GOOD_KEY[place]))
    header = f"Bearer {GOOD_KEY[:place]}{other}{GOOD_KEY[place + 1 :]}"
    assert asyncio.run(refusal(Authenticator(NoDatabase(), SECRET), header)) == REFUSED


async def test_a_key_that_was_never_made_is_refused(authenticator: Authenticator, team_id: UUID) -> None:
    assert await refusal(authenticator, f"Bearer {new_key()[0]}") == REFUSED


@pytest.mark.parametrize(
    "change",
    [
        "update api_keys set revoked_at = now()",
        "update api_keys set expires_at = now() - interval '1 second'",
        "delete from memberships using api_keys as k where k.created_by = memberships.user_id",
        "delete from api_keys",
    ],
)
async def test_a_key_that_is_not_good_any_more_is_refused(
    authenticator: Authenticator, add_user: AddUser, make_key: MakeKey, conn: Connection, change: str
) -> None:
    header = f"Bearer {await make_key(await add_user('admin'))}"
    await conn.execute(change)
    assert await refusal(authenticator, header) == REFUSED


async def test_a_key_dies_with_its_makers_membership_of_its_own_team(
    authenticator: Authenticator, add_user: AddUser, make_key: MakeKey, conn: Connection
) -> None:
    """Being a member of some other team does not keep it alive."""
    maker = await add_user("admin")
    header = f"Bearer {await make_key(maker)}"
    await conn.execute("insert into teams (id, name, slug) values ($1, 'Other', 'other')", other := uuid4())
    await conn.execute("update memberships set team_id = $1 where user_id = $2", other, maker.id)
    assert await refusal(authenticator, header) == REFUSED


async def test_a_user_who_does_not_exist_any_more_is_refused(
    authenticator: Authenticator, team_id: UUID, token_of: TokenOf
) -> None:
    assert await refusal(authenticator, f"Bearer {issue_token(SECRET, uuid4(), uuid4(), datetime.now(UTC))}") == REFUSED


def test_a_weak_secret_does_not_start() -> None:
    with pytest.raises(SettingsError):
        Authenticator(NoDatabase(), b"x" * 31)
