"""The operator sees what was brought, what waits, and why."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs
from tests.notifications.conftest import HOST, Street
from tests.notifications.test_courier import AWAY, TAKEN, Carrier, due_now, ended_tries, rows, working
from tests.waiting import until

from tawny import notifications
from tawny.errors import Forbidden
from tawny.notifications.delivery import Outcome

NO = Outcome(taken=False, seconds=0.01, hopeless=True, status=550)


async def brought(street: Street) -> dict[tuple[str, str], int]:
    """What was counted, without what is 0."""
    found = await notifications.measure(street.conn)
    return {(one.channel, one.outcome): one.tries for one in found.brought if one.tries}


async def waiting(street: Street) -> dict[str, int]:
    return {one.channel: one.waiting for one in (await notifications.measure(street.conn)).waiting}


async def test_each_end_of_a_try_is_counted_once(street: Street) -> None:
    answers = iter([AWAY, AWAY, AWAY, TAKEN, NO])
    with capture_logs():
        async with working(street, Carrier(lambda _: next(answers))):
            await street.ended()
            for tries in (1, 2, 3):
                await until(lambda: ended_tries(street, tries), "a try has ended")  # noqa: B023
                assert await brought(street) == {("mail", "not_taken"): tries}
                await due_now(street)
            await rows(street, "delivered")
            await street.ended()
            await rows(street, "failed")
    assert await brought(street) == {("mail", "not_taken"): 3, ("mail", "delivered"): 1, ("mail", "given_up"): 1}
    assert await waiting(street) == {"mail": 0, "webhook": 0}


async def test_what_waits_for_a_server_that_is_away_is_seen_with_its_age_and_the_reason(street: Street) -> None:
    assert await notifications.last_refusals(street.conn, HOST) == []
    with capture_logs():
        async with working(street, Carrier(lambda _: AWAY)):
            await street.ended()
            await until(lambda: ended_tries(street, 1), "the first try has ended")
    await street.ended()
    await street.address()
    await street.conn.execute("update deliveries set created_at = created_at - interval '1 hour' where tries > 0")
    found = {one.channel: one for one in (await notifications.measure(street.conn)).waiting}
    assert (found["mail"].waiting, found["webhook"].waiting, found["webhook"].oldest_seconds) == (2, 0, 0)
    assert found["mail"].oldest_seconds == pytest.approx(3_600, abs=60)
    (why,) = await notifications.last_refusals(street.conn, HOST)
    assert (why.channel, why.error, why.status) == ("mail", "ConnectionRefusedError", None)
    assert why.at.tzinfo is not None


async def test_why_messages_wait_is_the_operators(street: Street) -> None:
    with pytest.raises(Forbidden):
        await notifications.last_refusals(street.conn, street.olive)
