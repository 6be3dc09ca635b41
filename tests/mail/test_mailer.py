"""Mails are sent behind the requests: again after a failure, none held up by another, and nothing secret told to the log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
from structlog.testing import capture_logs
from tests.mail.postoffice import TAKEN, Letter, PostOffice, opened

from tawny.mail import Mail, Mailer, mailer
from tawny.mail.smtp import Smtp

AT_ONCE = mailer.AT_ONCE


def mail(number: int = 0) -> Mail:
    return Mail(f"a{number}@example.com", f"{number:06} is your code", f"Your code is {number:06}\n", f"code: {number:06}")


class Channel:
    """Takes mails, unless it is told to refuse them; and says when so many have been tried."""

    def __init__(self, refuses: Callable[[Mail, int], bool] = lambda *_: False) -> None:
        self.tried: list[str] = []
        self.taken: list[str] = []
        self.gate: asyncio.Event | None = None
        self._refuses = refuses
        self._moved = asyncio.Condition()

    async def send(self, mail: Mail) -> None:
        async with self._moved:
            self.tried.append(mail.to)
            self._moved.notify_all()
        if self.gate:
            await self.gate.wait()
        if self._refuses(mail, self.tried.count(mail.to)):
            raise ConnectionRefusedError(f"not {mail.text}")
        async with self._moved:
            self.taken.append(mail.to)
            self._moved.notify_all()

    async def until(self, fact: Callable[[], bool]) -> None:
        async with asyncio.timeout(10), self._moved:
            await self._moved.wait_for(fact)


@asynccontextmanager
async def running(channel: mailer.Channel, pauses: Sequence[float] = (0, 0, 0, 0)) -> AsyncIterator[Mailer]:
    sender = Mailer(channel, pauses)
    task = asyncio.create_task(sender.run())
    try:
        yield sender
        assert not task.done()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_what_is_to_be_sent_is_sent_once() -> None:
    channel = Channel()
    async with running(channel) as sender:
        for number in range(100):
            sender.send_soon(mail(number))
        await channel.until(lambda: len(channel.taken) == 100)
    assert sorted(channel.tried) == sorted(channel.taken) == sorted(f"a{number}@example.com" for number in range(100))


async def test_what_was_to_be_sent_before_the_sender_runs_is_sent() -> None:
    channel = Channel()
    sender = Mailer(channel)
    sender.send_soon(mail())
    task = asyncio.create_task(sender.run())
    await channel.until(lambda: bool(channel.taken))
    task.cancel()


async def test_a_mail_that_was_not_taken_is_sent_again() -> None:
    channel = Channel(lambda _, tries: tries < 3)
    with capture_logs() as logs:
        async with running(channel, (0, 0.001, 0, 0)) as sender:
            sender.send_soon(mail())
            await channel.until(lambda: bool(channel.taken))
    assert channel.tried == ["a0@example.com"] * 3
    event = {"event": "a mail was not sent", "log_level": "warning", "to": "a0@example.com", "error": "ConnectionRefusedError"}
    assert logs == [event | {"again_in": 0}, event | {"again_in": 0.001}]


async def test_a_mail_is_given_up_after_five_tries() -> None:
    channel = Channel(lambda mail, _: mail.to.startswith("a0"))
    with capture_logs() as logs:
        async with running(channel) as sender:
            sender.send_soon(mail(0))
            await channel.until(lambda: len(channel.tried) == 5)
            sender.send_soon(mail(1))
            await channel.until(lambda: bool(channel.taken))
    assert channel.tried == ["a0@example.com"] * 5 + ["a1@example.com"]
    assert [entry["again_in"] for entry in logs] == [0, 0, 0, 0, None]


def test_the_pauses_grow_and_end_before_a_code_does() -> None:
    assert list(mailer.PAUSES) == sorted(mailer.PAUSES)
    assert sum(mailer.PAUSES) < 5 * 60


async def test_mails_that_nobody_takes_hold_up_no_other() -> None:
    """More of them than are sent at once, all waiting for their next try, which is far off."""
    channel = Channel(lambda mail, _: mail.to != "a99@example.com")
    async with running(channel, (3600, 3600)) as sender:
        for number in range(3 * AT_ONCE):
            sender.send_soon(mail(number))
        sender.send_soon(mail(99))
        await channel.until(lambda: channel.taken == ["a99@example.com"])


async def test_so_many_are_sent_at_once_and_no_more() -> None:
    channel = Channel()
    channel.gate = asyncio.Event()
    async with running(channel) as sender:
        for number in range(2 * AT_ONCE):
            sender.send_soon(mail(number))
        await channel.until(lambda: len(channel.tried) == AT_ONCE)
        assert channel.taken == []
        channel.gate.set()
        await channel.until(lambda: len(channel.taken) == 2 * AT_ONCE)


@pytest.mark.parametrize("waiting", ["for their turn", "for another try"])
async def test_where_too_many_wait_a_mail_is_dropped_and_that_is_told(monkeypatch: pytest.MonkeyPatch, waiting: str) -> None:
    monkeypatch.setattr(mailer, "WAITING_AT_MOST", 3)
    channel = Channel(lambda *_: True)
    with capture_logs() as logs:
        if waiting == "for their turn":
            sender = Mailer(channel)
            for number in range(5):
                sender.send_soon(mail(number))
        else:
            async with running(channel, (3600,)) as sender:
                for number in range(3):
                    sender.send_soon(mail(number))
                await channel.until(lambda: len(channel.tried) == 3)
                for number in (3, 4):
                    sender.send_soon(mail(number))
    dropped = [entry for entry in logs if "again_in" not in entry]
    assert [(entry["log_level"], entry["to"]) for entry in dropped] == [("error", "a3@example.com"), ("error", "a4@example.com")]
    assert all("dropped" in entry["event"] for entry in dropped)


@pytest.mark.parametrize("taken", [True, False], ids=["taken", "given up"])
async def test_what_is_done_makes_room_for_others(monkeypatch: pytest.MonkeyPatch, taken: bool) -> None:
    monkeypatch.setattr(mailer, "WAITING_AT_MOST", 1)
    channel = Channel(lambda *_: not taken)
    tries = 1 if taken else 2
    async with running(channel, (0,)) as sender:
        for number in range(1, 4):
            sender.send_soon(mail(number))
            await channel.until(lambda number=number: len(channel.tried) == number * tries)
            await asyncio.sleep(0)  # the sender comes back from what it has just sent
            await asyncio.sleep(0)
    assert len(set(channel.tried)) == 3


# With a real mail server


def quoting(letter: Letter) -> str:
    return f"550 will not take {letter.message['Subject']} saying {letter.message.get_content().strip()}"


@pytest.mark.parametrize("trouble", ["none", "refused", "away"])
async def test_nothing_of_a_mail_but_its_address_is_told_to_the_log(trouble: str) -> None:
    office = PostOffice(quoting if trouble == "refused" else lambda _: TAKEN)
    secret = mail(123456)
    with capture_logs() as logs:
        async with opened(office):
            channel = Watched(Smtp(f"smtp://127.0.0.1:{office.port if trouble != 'away' else 1}", None))
            async with running(channel, (0,)) as sender:
                sender.send_soon(secret)
                await channel.until(lambda: channel.done == (1 if trouble == "none" else 2))
    told = json.dumps(logs)
    assert "123456" not in told.replace("a123456@example.com", "")
    assert len(logs) == (0 if trouble == "none" else 2)
    assert len(office.letters) == (trouble == "none")


class Watched(Channel):
    """A channel that hands on to another, and counts how often that has come to an end."""

    def __init__(self, inner: mailer.Channel) -> None:
        super().__init__()
        self._inner = inner
        self.done = 0

    async def send(self, mail: Mail) -> None:
        try:
            await self._inner.send(mail)
        finally:
            async with self._moved:
                self.done += 1
                self._moved.notify_all()


async def test_a_server_that_refuses_one_address_gets_all_the_others() -> None:
    office = PostOffice(lambda letter: "550 no such mailbox" if letter.recipients == ["a3@example.com"] else TAKEN)
    async with opened(office), running(Smtp(f"smtp://127.0.0.1:{office.port}", None)) as sender:
        for number in range(12):
            sender.send_soon(mail(number))
        await office.until(lambda: len(office.letters) == 11 and office.tries == 11 + 5)
    assert {letter.recipients[0] for letter in office.letters} == {
        f"a{number}@example.com" for number in range(12) if number != 3
    }


async def test_a_server_that_was_busy_gets_the_mail_later() -> None:
    office = PostOffice()
    office.answer = lambda _: TAKEN if office.tries > 2 else "451 try again later"
    async with opened(office), running(Smtp(f"smtp://127.0.0.1:{office.port}", None)) as sender:
        sender.send_soon(mail())
        await office.until(lambda: bool(office.letters))
    assert office.tries == 3
