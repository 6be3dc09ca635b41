"""Codes: good once, for ten minutes, and after five wrong tries not at all."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from tawny.access.codes import make_code, redeem_code
from tawny.db.pool import Connection, Pool

SECRET = b"an own secret for tests, 32 bytes or more"
ANN, BEN = "ann@example.com", "ben@example.com"


def wrong(code: str, by: int = 1) -> str:
    return f"{(int(code) + by) % 10**6:06}"


async def pass_time(conn: Connection, seconds: float) -> None:
    await conn.execute("update sign_in_codes set expires_at = expires_at - make_interval(secs => $1)", float(seconds))


async def tries(conn: Connection) -> int:
    counted: int = await conn.fetchval("select tries from sign_in_codes")
    return counted


async def test_a_code_is_six_digits_and_good_once(conn: Connection) -> None:
    code = await make_code(conn, SECRET, ANN)
    assert len(code) == 6
    assert set(code) <= set("0123456789")
    assert await redeem_code(conn, SECRET, ANN, code)
    assert not await redeem_code(conn, SECRET, ANN, code)


@pytest.mark.parametrize(("age", "good"), [(590, True), (601, False), (10**6, False)])
async def test_a_code_is_good_for_ten_minutes(conn: Connection, age: int, good: bool) -> None:
    code = await make_code(conn, SECRET, ANN)
    await pass_time(conn, age)
    assert await redeem_code(conn, SECRET, ANN, code) == good


@pytest.mark.parametrize(("mistakes", "good"), [(1, True), (4, True), (5, False), (6, False)])
async def test_after_five_wrong_ones_the_right_one_is_refused(conn: Connection, mistakes: int, good: bool) -> None:
    code = await make_code(conn, SECRET, ANN)
    for number in range(mistakes):
        assert not await redeem_code(conn, SECRET, ANN, wrong(code, number + 1))
        assert await tries(conn) == min(number + 1, 5)
    assert await redeem_code(conn, SECRET, ANN, code) == good


async def test_a_new_code_takes_the_place_of_the_old_one_and_starts_anew(conn: Connection) -> None:
    old = await make_code(conn, SECRET, ANN)
    for _ in range(5):
        await redeem_code(conn, SECRET, ANN, wrong(old))
    await pass_time(conn, 601)
    new = old
    while new == old:
        new = await make_code(conn, SECRET, ANN)
    assert await tries(conn) == 0
    assert not await redeem_code(conn, SECRET, ANN, old)
    assert await redeem_code(conn, SECRET, ANN, new)
    assert await conn.fetchval("select count(*) from sign_in_codes") == 1


async def test_a_code_is_good_for_its_own_address_only(conn: Connection) -> None:
    code = await make_code(conn, SECRET, ANN)
    while await make_code(conn, SECRET, BEN) == code:
        pass
    assert not await redeem_code(conn, SECRET, BEN, code)
    assert not await redeem_code(conn, SECRET, "nobody@example.com", code)
    assert await conn.fetchval("select tries from sign_in_codes where email = $1", ANN) == 0
    assert await redeem_code(conn, SECRET, ANN, code)


async def test_what_is_stored_for_one_address_is_worth_nothing_for_another(conn: Connection) -> None:
    code = await make_code(conn, SECRET, ANN)
    await conn.execute("update sign_in_codes set email = $1", BEN)
    assert not await redeem_code(conn, SECRET, BEN, code)


async def test_a_code_made_under_another_secret_is_not_good(conn: Connection) -> None:
    code = await make_code(conn, SECRET, ANN)
    assert not await redeem_code(conn, SECRET[::-1], ANN, code)


async def test_nobody_has_a_code_before_one_was_made(conn: Connection) -> None:
    for code in ("000000", "", "123456"):
        assert not await redeem_code(conn, SECRET, ANN, code)


DRESSED_UP = {
    "fullwidth digits": lambda code: "".join(chr(ord(digit) - ord("0") + 0xFF10) for digit in code),
    "arabic digits": lambda code: "".join(chr(ord(digit) - ord("0") + 0x0660) for digit in code),
    "one digit of another script": lambda code: code[:5] + chr(ord(code[5]) - ord("0") + 0x0966),
    "space before": lambda code: f" {code}",
    "space after": lambda code: f"{code} ",
    "space inside": lambda code: f"{code[:3]} {code[3:]}",
    "newline": lambda code: f"{code}\n",
    "nul": lambda code: f"{code}\0",
    "sign": lambda code: f"+{code[1:]}",
    "too short": lambda code: code[:5],
    "too long": lambda code: f"{code}0",
    "twice": lambda code: code * 2,
    "nothing": lambda code: "",
    "the code itself, and much more": lambda code: code + "0" * 100_000,
    "a lone surrogate": lambda code: f"{code[:5]}\ud835",
    "a pattern": lambda code: "%" * 6,
}


@pytest.mark.parametrize("dress", DRESSED_UP.values(), ids=DRESSED_UP)
async def test_what_only_looks_like_the_code_is_not_it_and_is_counted(conn: Connection, dress) -> None:
    code = await make_code(conn, SECRET, ANN)
    assert not await redeem_code(conn, SECRET, ANN, dress(code))
    assert await tries(conn) == 1
    assert await redeem_code(conn, SECRET, ANN, code)


async def test_a_code_is_nowhere_in_its_row(conn: Connection) -> None:
    code = await make_code(conn, SECRET, ANN)
    (row,) = await conn.fetch("select email, code_hash, tries from sign_in_codes")
    assert code not in repr(row)
    assert code.encode() not in row["code_hash"]
    plain = [
        hashlib.sha256(text.encode()).digest() for text in (code, f"{ANN}{code}", f"{ANN}:{code}", f"tawny:code:{ANN}:{code}")
    ]
    assert row["code_hash"] not in plain, "who steals the table tries a million codes in no time"


async def test_codes_are_not_the_same_each_time(conn: Connection) -> None:
    assert len({await make_code(conn, SECRET, ANN) for _ in range(20)}) > 15


async def test_of_a_hundred_who_try_the_right_code_at_once_one_is_let_in(conn: Connection, pool: Pool) -> None:
    code = await make_code(conn, SECRET, ANN)

    async def attempt(_: int) -> bool:
        async with pool.transaction() as own:
            return await redeem_code(own, SECRET, ANN, code)

    assert sorted(await asyncio.gather(*map(attempt, range(100)))) == [False] * 99 + [True]


async def test_of_a_hundred_who_guess_at_once_five_are_looked_at(conn: Connection, pool: Pool) -> None:
    code = await make_code(conn, SECRET, ANN)

    async def attempt(number: int) -> bool:
        async with pool.transaction() as own:
            return await redeem_code(own, SECRET, ANN, wrong(code, number + 1))

    assert not any(await asyncio.gather(*map(attempt, range(100))))
    assert await tries(conn) == 5
    assert not await redeem_code(conn, SECRET, ANN, code)
