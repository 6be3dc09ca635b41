"""Webhooks of a team: made, changed, posted to, disabled when nobody takes what is posted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.notifications.conftest import HOST, Street
from tests.notifications.receiver import Post, Receiver, check, opened
from tests.notifications.test_letter import DESK
from tests.waiting import until

from tawny import notifications
from tawny.access.keyring import CannotDecrypt, Keyring
from tawny.errors import Conflict, Forbidden, InvalidRequest, NotFound
from tawny.notifications import ByWebhook, Courier, NewWebhook, count_against_webhook
from tawny.notifications.deliveries import GIVEN_UP_AT_MOST
from tawny.notifications.delivery import Delivery, Outcome
from tawny.notifications.pauses import WEBHOOK_TRIES
from tawny.notifications.target import read_url
from tawny.notifications.webhooks import MOST

OLD, NEW = b"o" * 32, b"n" * 32
KEYRING = Keyring([OLD])


async def made(street: Street, url: str = "https://8.8.8.8/hook/secret", **more: Any) -> NewWebhook:
    wanted = {"name": "Deploy bot", "target": read_url(url, private=True)} | more
    return await notifications.create_webhook(street.conn, street.olive, KEYRING, street.team_id, **wanted)


@asynccontextmanager
async def working(street: Street, carrier: Any) -> AsyncIterator[Courier]:
    courier = Courier(street.pool, {"webhook": carrier}, hold=60, aftermath=count_against_webhook, beat=0.02)
    task = asyncio.create_task(courier.run())
    try:
        yield courier
        assert not task.done()
    finally:
        await courier.finish(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Refuses:
    """A receiver that takes nothing, at once and for good."""

    at_once = 4

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, delivery: Delivery) -> Outcome:
        self.asked += 1
        return Outcome(taken=False, seconds=0, hopeless=True, status=500)


async def ended(street: Street, count: int) -> list[dict[str, Any]]:
    """The deliveries to webhooks, once so many have ended."""

    async def enough() -> list[dict[str, Any]]:
        found = [row for row in await street.deliveries() if row["channel"] == "webhook" and row["status"] != "pending"]
        return found if len(found) >= count else []

    return await until(enough, f"{count} deliveries have ended")


async def silent(street: Street, status: str = "completed") -> UUID:
    """A run of which nobody asked for a mail."""
    run_id = await street.trigger(notify=False)
    await street.end(run_id, status)
    return run_id


async def test_the_ends_that_were_chosen_are_posted_and_no_others(street: Street) -> None:
    receiver = Receiver()
    async with opened(receiver):
        hook = await made(street, receiver.url, events=["failed", "cancelled"])
        receiver.secret = hook.secret
        await silent(street, "completed")
        assert await street.notices() == set()
        run_ids = [str(await silent(street, "failed")), str(await silent(street, "cancelled"))]
        async with working(street, ByWebhook(lambda: KEYRING, DESK, private=True)):
            rows = await ended(street, 2)
    assert {post.verdict for post in receiver.posts} == {"ok"}
    sent = {json.loads(post.body)["type"]: json.loads(post.body)["data"]["job_run"]["id"] for post in receiver.posts}
    assert sent == dict(zip(["run.failed", "run.cancelled"], run_ids, strict=True))
    assert {(row["status"], row["tries"], row["webhook_id"]) for row in rows} == {("delivered", 1, hook.webhook.id)}


async def test_what_is_posted_is_what_the_api_shows_of_the_run(street: Street) -> None:
    receiver = Receiver()
    async with opened(receiver):
        await made(street, receiver.url)
        run_id = await silent(street)
        async with working(street, ByWebhook(lambda: KEYRING, DESK, private=True)):
            (row,) = await ended(street, 1)
    shown = await street.conn.fetchval("select run_json(r) from job_runs as r where id = $1", run_id)
    assert json.loads(receiver.posts[0].body)["data"]["job_run"] == json.loads(shown)
    assert row["request"] == receiver.posts[0].body.decode()
    (entry,) = json.loads(row["log"])
    assert (entry["status"], entry["answer"]) == (200, "ok")


async def test_other_teams_and_disabled_and_deleted_webhooks_hear_nothing(street: Street) -> None:
    disabled, deleted = await made(street), await made(street)
    where = (street.conn, street.olive, KEYRING, street.team_id)
    await notifications.update_webhook(*where, disabled.webhook.id, enabled=False)
    await notifications.delete_webhook(street.conn, street.olive, street.team_id, deleted.webhook.id)
    await silent(street)
    assert await street.notices() == set()


async def test_nobody_hears_of_a_run_that_ended_before_the_webhook_was_made(street: Street) -> None:
    await silent(street)
    await made(street)
    await street.address()
    assert await street.deliveries() == []


async def test_what_is_secret_is_encrypted_and_shown_once(street: Street) -> None:
    hook = await made(street)
    stored = await street.conn.fetchval("select webhooks::text from webhooks")
    assert "hook/secret" not in stored
    assert hook.secret not in stored
    assert hook.webhook.shown_url == "https://8.8.8.8/hook****"
    assert hook.secret not in repr(hook)
    (listed,) = await notifications.list_webhooks(street.conn, street.olive, street.team_id)
    assert listed == hook.webhook
    assert await notifications.find_webhook(street.conn, street.olive, street.team_id, hook.webhook.id) == listed


async def test_a_change_keeps_what_it_does_not_name(street: Street) -> None:
    hook = await made(street)
    where = (street.conn, street.olive, KEYRING, street.team_id, hook.webhook.id)
    before = json.loads(await street.conn.fetchval("select secrets::text from webhooks"))
    renamed = await notifications.update_webhook(*where, name="Bot", events=["failed"])
    assert (renamed.name, renamed.events, renamed.shown_url) == ("Bot", ["failed"], hook.webhook.shown_url)
    assert json.loads(await street.conn.fetchval("select secrets::text from webhooks")) == before
    moved = await notifications.update_webhook(*where, target=read_url("https://8.8.4.4/", private=False))
    assert (moved.name, moved.shown_url) == ("Bot", "https://8.8.4.4/")
    after = json.loads(await street.conn.fetchval("select secrets::text from webhooks"))
    assert (after["secret"], after["url"] != before["url"]) == (before["secret"], True)


async def rotated(street: Street, webhook_id: UUID, **more: Any) -> NewWebhook:
    return await notifications.rotate_secret(street.conn, street.olive, KEYRING, street.team_id, webhook_id, **more)


async def posted_test(street: Street, webhook_id: UUID, receiver: Receiver) -> Post:
    """What arrives of a test that is sent now."""
    before = len(receiver.posts)
    await notifications.send_test(street.conn, street.olive, street.team_id, webhook_id)
    async with working(street, ByWebhook(lambda: KEYRING, DESK, private=True)):
        await ended(street, before + 1)
    return receiver.posts[-1]


def fits(secret: str, post: Post) -> bool:
    return check(secret, post, set(), int(post.headers["webhook-timestamp"])) == "ok"


async def test_for_a_while_the_old_secret_signs_too(street: Street) -> None:
    """A receiver that knows either takes what is posted; then the old one is over, and in the end forgotten."""
    receiver = Receiver()
    async with opened(receiver):
        old = await made(street, receiver.url)
        webhook_id = old.webhook.id
        new = await rotated(street, webhook_id, overlap_hours=1)
        assert new.webhook.old_secret_until
        post = await posted_test(street, webhook_id, receiver)
        assert (fits(new.secret, post), fits(old.secret, post)) == (True, True)
        await street.conn.execute("update webhooks set old_secret_until = now() - interval '1 second'")
        post = await posted_test(street, webhook_id, receiver)
        assert (fits(new.secret, post), fits(old.secret, post)) == (True, False)
    assert set(await stored(street)) == {"url", "secret", "old_secret"}
    await notifications.forget_deliveries(street.conn, at_most=10)
    assert set(await stored(street)) == {"url", "secret"}
    found = await notifications.find_webhook(street.conn, street.olive, street.team_id, webhook_id)
    assert found.old_secret_until is None


async def stored(street: Street) -> dict[str, str]:
    found: dict[str, str] = json.loads(await street.conn.fetchval("select secrets::text from webhooks"))
    return found


async def test_a_secret_that_others_know_signs_no_more_at_once(street: Street) -> None:
    receiver = Receiver()
    async with opened(receiver):
        stolen = await made(street, receiver.url)
        new = await rotated(street, stolen.webhook.id, overlap_hours=0)
        post = await posted_test(street, stolen.webhook.id, receiver)
    assert new.webhook.old_secret_until is None
    assert (fits(new.secret, post), fits(stolen.secret, post)) == (True, False)


async def test_of_several_old_secrets_only_the_last_signs(street: Street) -> None:
    receiver = Receiver()
    async with opened(receiver):
        first = await made(street, receiver.url)
        second, third = await rotated(street, first.webhook.id), await rotated(street, first.webhook.id)
        post = await posted_test(street, first.webhook.id, receiver)
    assert [fits(one.secret, post) for one in (first, second, third)] == [False, True, True]


async def test_an_old_secret_is_put_under_another_key_too(street: Street) -> None:
    await rotated(street, (await made(street)).webhook.id)
    assert await notifications.reencrypt(street.conn, HOST, Keyring([NEW, OLD])) == 1
    assert await notifications.count_unreadable(street.conn, HOST, Keyring([NEW])) == {}


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"name": " "}, "invalid_name"),
        ({"events": []}, "unknown_event"),
        ({"events": ["x"]}, "unknown_event"),
        ({"format": "x"}, "unknown_format"),
    ],
)
async def test_a_wrong_webhook_is_refused(street: Street, more: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await made(street, **more)
    assert refused.value.code == code


async def test_a_team_has_so_many_webhooks_and_no_more(street: Street) -> None:
    hooks = [await made(street) for _ in range(MOST)]
    with pytest.raises(Conflict) as refused:
        await made(street)
    assert refused.value.code == "too_many_webhooks"
    await notifications.delete_webhook(street.conn, street.olive, street.team_id, hooks[0].webhook.id)
    await made(street)


async def test_members_and_keys_have_nothing_to_do_with_webhooks(street: Street) -> None:
    hook = (await made(street)).webhook
    for actor in (await street.member("ann@example.com", "member"), await street.key(street.olive)):
        with pytest.raises(Forbidden):
            await notifications.list_webhooks(street.conn, actor, street.team_id)
        with pytest.raises(Forbidden):
            await notifications.send_test(street.conn, actor, street.team_id, hook.id)


async def test_after_so_many_that_nobody_took_it_is_disabled_and_the_admins_are_told(street: Street) -> None:
    hook = (await made(street)).webhook
    await street.member("ada@example.com", "admin")
    await street.member("mel@example.com", "member")
    refuses = Refuses()
    async with working(street, refuses):
        for count in range(1, GIVEN_UP_AT_MOST + 1):
            await silent(street)
            await ended(street, count)
        found = await notifications.find_webhook(street.conn, street.olive, street.team_id, hook.id)
        assert not found.enabled
        assert found.disabled_because == "3 messages in a row were not taken. The last time: it answered 500."
        await silent(street)
    assert refuses.asked == GIVEN_UP_AT_MOST
    mails = [row for row in await street.deliveries() if row["channel"] == "mail"]
    assert sorted(row["address"] for row in mails) == ["ada@example.com", "olive@example.com"]
    assert {(row["event"], row["webhook_id"]) for row in mails} == {("webhook_disabled", hook.id)}
    again = await notifications.update_webhook(street.conn, street.olive, KEYRING, street.team_id, hook.id, enabled=True)
    assert (again.enabled, again.disabled_because) == (True, None)
    assert await street.conn.fetchval("select given_up from webhooks") == 0


async def test_one_that_is_taken_in_between_begins_the_count_anew(street: Street) -> None:
    hook = (await made(street)).webhook
    answers = iter([False, False, True, False, False])

    class Sometimes(Refuses):
        async def __call__(self, delivery: Delivery) -> Outcome:
            taken = next(answers)
            return Outcome(taken=taken, seconds=0, hopeless=not taken)

    async with working(street, Sometimes()):
        for count in range(1, 6):
            await silent(street)
            await ended(street, count)
    assert (await notifications.find_webhook(street.conn, street.olive, street.team_id, hook.id)).enabled


async def test_what_is_due_when_a_webhook_is_disabled_is_given_up_and_not_held_against_it(street: Street) -> None:
    hook = (await made(street)).webhook
    await silent(street)
    await street.address()
    await notifications.update_webhook(street.conn, street.olive, KEYRING, street.team_id, hook.id, enabled=False)
    async with working(street, ByWebhook(lambda: KEYRING, DESK)):
        (row,) = await ended(street, 1)
    assert row["status"] == "failed"
    assert await street.conn.fetchval("select given_up from webhooks") == 0


async def test_what_is_too_old_to_be_posted_does_not_count_against_the_webhook(street: Street) -> None:
    hook = (await made(street)).webhook
    for _ in range(GIVEN_UP_AT_MOST):
        await notifications.send_test(street.conn, street.olive, street.team_id, hook.id)
    await street.conn.execute("update deliveries set created_at = created_at - interval '8 days'")
    refuses = Refuses()
    async with working(street, refuses):
        await ended(street, GIVEN_UP_AT_MOST)
    assert refuses.asked == 0
    assert (await notifications.find_webhook(street.conn, street.olive, street.team_id, hook.id)).enabled


async def test_what_is_posted_once_more_by_hand_does_not_count_against_the_webhook(street: Street) -> None:
    hook = (await made(street)).webhook
    where = (street.conn, street.olive, street.team_id, hook.id)
    posted = await notifications.send_test(*where)
    await street.conn.execute("update deliveries set status = 'failed', ended_at = now(), tries = $1", WEBHOOK_TRIES)
    async with working(street, Refuses()):
        for again in range(1, GIVEN_UP_AT_MOST + 2):
            await notifications.redeliver(*where, posted.id)
            await until(
                lambda: street.conn.fetchval("select tries = $1 and not trying from deliveries", WEBHOOK_TRIES + again),  # noqa: B023
                "it was tried again",
            )
    assert await street.conn.fetchval("select given_up from webhooks") == 0
    assert (await notifications.find_webhook(*where)).enabled


async def test_a_message_is_posted_once_more_under_its_id(street: Street) -> None:
    receiver = Receiver()
    async with opened(receiver):
        hook = (await made(street, receiver.url)).webhook
        await silent(street)
        async with working(street, ByWebhook(lambda: KEYRING, DESK, private=True)):
            (row,) = await ended(street, 1)
            posted = await notifications.redeliver(street.conn, street.olive, street.team_id, hook.id, row["id"])
            assert (posted.id, posted.status) == (row["id"], "pending")
            await until(
                lambda: street.conn.fetchval("select tries = 2 and status = 'delivered' from deliveries"), "it arrived twice"
            )
    assert [post.headers["webhook-id"] for post in receiver.posts] == [str(row["id"])] * 2
    found = await notifications.find_delivery(street.conn, street.olive, street.team_id, hook.id, row["id"])
    assert (found.posted.tries, len(found.log), found.posted.due_at) == (2, 2, None)


async def test_what_is_due_anyway_or_leads_nowhere_is_not_posted_once_more(street: Street) -> None:
    hook = (await made(street)).webhook
    where = (street.conn, street.olive, street.team_id, hook.id)
    posted = await notifications.send_test(*where)
    with pytest.raises(Conflict) as refused:
        await notifications.redeliver(*where, posted.id)
    assert refused.value.code == "not_ended"
    with pytest.raises(NotFound):
        await notifications.redeliver(*where, uuid4())
    await notifications.update_webhook(street.conn, street.olive, KEYRING, street.team_id, hook.id, enabled=False)
    for again in (notifications.send_test(*where), notifications.redeliver(*where, posted.id)):
        with pytest.raises(Conflict) as refused:
            await again
        assert refused.value.code == "webhook_disabled"


async def test_deliveries_are_listed_page_by_page(street: Street) -> None:
    hook = (await made(street)).webhook
    where = (street.conn, street.olive, street.team_id, hook.id)
    ids = {(await notifications.send_test(*where)).id for _ in range(7)}
    found: list[UUID] = []
    after = None
    while True:
        page = await notifications.list_deliveries(*where, after=after, limit=3)
        found += [delivery.id for delivery in page.deliveries]
        if page.cursor is None:
            break
        last = page.deliveries[-1]
        after = (last.created_at, last.id)
    assert (len(found), set(found)) == (7, ids)


async def test_one_slow_webhook_holds_up_no_other(street: Street) -> None:
    slow, quick = Receiver(gate=asyncio.Event()), Receiver()
    async with opened(slow), opened(quick):
        hook = (await made(street, slow.url)).webhook
        for _ in range(40):
            await notifications.send_test(street.conn, street.olive, street.team_id, hook.id)
        other = (await made(street, quick.url)).webhook
        await notifications.send_test(street.conn, street.olive, street.team_id, other.id)
        async with working(street, ByWebhook(lambda: KEYRING, DESK, private=True)):
            (row,) = await ended(street, 1)
            assert row["webhook_id"] == other.id
            assert len(slow.posts) <= 8, "a few at once"
        slow.gate.set()


async def test_secrets_are_put_under_another_key(street: Street) -> None:
    hook = await made(street)
    both = Keyring([NEW, OLD])
    assert await notifications.count_unreadable(street.conn, HOST, Keyring([NEW])) == {KEYRING.key_ids[0]: 1}
    assert await notifications.reencrypt(street.conn, HOST, both) == 1
    assert await notifications.reencrypt(street.conn, HOST, both) == 0
    assert await notifications.count_unreadable(street.conn, HOST, Keyring([NEW])) == {}
    with pytest.raises(CannotDecrypt, match=str(hook.webhook.id)):
        await notifications.reencrypt(street.conn, HOST, Keyring([b"z" * 32]))


async def test_a_deleted_webhook_is_forgotten_with_its_deliveries(street: Street) -> None:
    hook = (await made(street)).webhook
    await notifications.send_test(street.conn, street.olive, street.team_id, hook.id)
    await notifications.delete_webhook(street.conn, street.olive, street.team_id, hook.id)
    with pytest.raises(NotFound):
        await notifications.find_webhook(street.conn, street.olive, street.team_id, hook.id)
    async with working(street, ByWebhook(lambda: KEYRING, DESK)):
        await ended(street, 1)
    await street.conn.execute("update webhooks set deleted_at = now() - interval '31 days'")
    assert await notifications.forget_deliveries(street.conn, at_most=10) == 0
    assert await street.conn.fetchval("select count(*) from webhooks") == 1
    await street.conn.execute("update deliveries set created_at = now() - interval '31 days'")
    assert await notifications.forget_deliveries(street.conn, at_most=10) == 1
    assert await street.conn.fetchval("select count(*) from webhooks") == 0
