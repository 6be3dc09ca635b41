"""How often codes may be asked for and tried, and whom that is counted for."""

from __future__ import annotations

import asyncio

import pytest
from tests.access.door import ANN, SECRET, Door

from tawny.access import client_subject, send_code
from tawny.access.limits import Limit, spend
from tawny.db.pool import Connection, Pool
from tawny.errors import TooManyRequests

THRICE = Limit("tests", 3, 60, "Too many tests")


@pytest.fixture
def door(conn: Connection) -> Door:
    return Door(conn)


async def pass_time(conn: Connection, seconds: float) -> None:
    await conn.execute("update rate_limits set paid_until = paid_until - make_interval(secs => $1)", float(seconds))


async def wait_for(refusal: TooManyRequests) -> int:
    wait = refusal.details["retry_after"]
    assert isinstance(wait, int)
    assert wait >= 1
    return wait


async def test_so_many_are_granted_at_once_and_then_one_for_each_part_of_the_time(conn: Connection) -> None:
    for _ in range(3):
        await spend(conn, THRICE, "ann")
    for _ in range(2):
        with pytest.raises(TooManyRequests, match=r"^Too many tests; wait \d+ seconds and try again\.$") as refused:
            await spend(conn, THRICE, "ann")
        assert 15 < await wait_for(refused.value) <= 20, "what was refused costs nothing"
    await pass_time(conn, 20)
    await spend(conn, THRICE, "ann")
    with pytest.raises(TooManyRequests):
        await spend(conn, THRICE, "ann")


async def test_who_waits_as_long_as_told_is_granted(conn: Connection) -> None:
    for _ in range(3):
        await spend(conn, THRICE, "ann")
    for _ in range(3):
        with pytest.raises(TooManyRequests) as refused:
            await spend(conn, THRICE, "ann")
        await pass_time(conn, await wait_for(refused.value))
        await spend(conn, THRICE, "ann")


async def test_who_comes_after_a_long_time_is_not_given_more(conn: Connection) -> None:
    await spend(conn, THRICE, "ann")
    await pass_time(conn, 10**6)
    for _ in range(3):
        await spend(conn, THRICE, "ann")
    with pytest.raises(TooManyRequests):
        await spend(conn, THRICE, "ann")


async def test_each_subject_and_each_limit_is_counted_by_itself(conn: Connection) -> None:
    for _ in range(3):
        await spend(conn, THRICE, "ann")
    await spend(conn, THRICE, "ben")
    await spend(conn, Limit("others", 1, 60, "Too many others"), "ann")


async def test_of_many_at_once_as_many_are_granted_as_may_be(conn: Connection, pool: Pool) -> None:
    async def attempt(_: int) -> bool:
        try:
            async with pool.transaction() as own:
                await spend(own, THRICE, "ann")
        except TooManyRequests:
            return False
        return True

    assert sum(await asyncio.gather(*map(attempt, range(30)))) == 3


async def test_five_codes_an_hour_are_made_for_an_address(conn: Connection, door: Door) -> None:
    for number in range(5):
        await door.send("ANN@example.com" if number % 2 else ANN, client=f"192.0.2.{number}")
    before = await conn.fetchval("select code_hash from sign_in_codes")
    with pytest.raises(TooManyRequests, match="with this address; wait 12 minutes") as refused:
        await door.send(ANN, client="192.0.2.100")
    assert 700 < await wait_for(refused.value) <= 720
    assert await conn.fetchval("select code_hash from sign_in_codes") == before, "the last code stays good"
    await door.send("ben@example.com", client="192.0.2.1")
    await pass_time(conn, 720)
    await door.send(ANN)


@pytest.mark.parametrize("signup", [True, False])
async def test_the_limit_is_the_same_for_an_address_of_nobody(conn: Connection, signup: bool) -> None:
    door = Door(conn, signup)
    for _ in range(5):
        await door.send("nobody@example.com")
    with pytest.raises(TooManyRequests, match="with this address"):
        await door.send("nobody@example.com")


async def test_a_client_may_ask_for_thirty_codes(conn: Connection, door: Door) -> None:
    for number in range(30):
        await door.send(f"ann{number}@example.com")
    with pytest.raises(TooManyRequests, match="from here"):
        await door.send(ANN)
    await door.send(ANN, client="192.0.2.2")


async def test_a_client_may_try_sixty_times_for_whatever_address(conn: Connection, door: Door) -> None:
    for number in range(60):
        await (door.verify if number % 2 else door.agent)("000000", f"ann{number}@example.com")
    code = await door.code()
    for sign_in in (door.verify, door.agent):
        with pytest.raises(TooManyRequests, match="sign-ins were tried from here") as refused:
            await sign_in(code)
        assert 0 < await wait_for(refused.value) <= 60
    assert await door.verify(code, client="192.0.2.2") is not None


async def test_codes_asked_for_at_once_are_counted_over_all_connections(conn: Connection, pool: Pool) -> None:
    async def ask(number: int) -> bool:
        try:
            async with pool.transaction() as own:
                await send_code(own, SECRET, ANN, client=f"192.0.2.{number}", signup=True)
        except TooManyRequests:
            return False
        return True

    assert sum(await asyncio.gather(*map(ask, range(20)))) == 5


@pytest.mark.parametrize(
    ("host", "subject"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:c000:201", "192.0.2.1"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, "unknown"),
        ("", "unknown"),
        ("testclient", "unknown"),
        ("192.0.2.1, 192.0.2.2", "unknown"),
        ("192.0.2.1:80", "unknown"),
        ("[2001:db8::1]", "unknown"),
        ("192.0.2.01", "unknown"),
        ("１９２.0.2.1", "unknown"),
        (" 192.0.2.1", "unknown"),
        ("192.0.2.1\0", "unknown"),
        ("3221225985", "unknown"),
        ("x" * 100_000, "unknown"),
    ],
)
def test_a_client_is_its_address_or_the_network_of_one_customer(host: str | None, subject: str) -> None:
    assert client_subject(host) == subject
