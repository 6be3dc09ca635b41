"""Mails reach a real mail server, and what it says is understood."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.mail.postoffice import PostOffice, opened
from tests.notifications.test_letter import DESK, RUN_ID, delivery

from tawny.mail.outbox import Outbox
from tawny.mail.smtp import Smtp
from tawny.notifications import ByMail
from tawny.notifications.by_mail import REFUSALS
from tawny.notifications.delivery import Delivery


def by_mail(port: int) -> ByMail:
    return ByMail(Smtp(f"smtp://127.0.0.1:{port}", "me@mail.example"), DESK)


async def test_a_mail_is_taken() -> None:
    async with opened(PostOffice()) as office:
        outcome = await by_mail(office.port)(delivery())
    assert outcome.taken
    (letter,) = office.letters
    assert letter.recipients == ["ann@example.com"]
    assert letter.message["Message-ID"] == f"<{RUN_ID}@mail.example>"
    assert letter.message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in letter.message.iter_parts()] == ["text/plain", "text/html"]


async def test_without_a_server_a_mail_is_a_file(tmp_path: Path) -> None:
    assert (await ByMail(Outbox(tmp_path, None), DESK)(delivery())).taken
    (path,) = (tmp_path / "outbox").iterdir()
    assert b"multipart/alternative" in path.read_bytes()


def tried(tries: int) -> Delivery:
    made = delivery()
    return Delivery(made.id, tries, "mail", made.event, made.address, None, made.created_at, made.run, None)


@pytest.mark.parametrize(("tries", "hopeless"), [(1, False), (REFUSALS, True)])
async def test_a_refusal_is_believed_when_it_was_repeated(tries: int, hopeless: bool) -> None:
    async with opened(PostOffice(lambda _: "550 no such mailbox")) as office:
        outcome = await by_mail(office.port)(tried(tries))
    assert (outcome.taken, outcome.hopeless, outcome.unsure, outcome.status) == (False, hopeless, False, 550)


@pytest.mark.parametrize("tries", [1, 100])
async def test_a_server_that_is_busy_is_asked_again(tries: int) -> None:
    async with opened(PostOffice(lambda _: "451 later, perhaps")) as office:
        outcome = await by_mail(office.port)(tried(tries))
    assert (outcome.taken, outcome.hopeless, outcome.unsure, outcome.status) == (False, False, False, 451)


@pytest.mark.parametrize("tries", [1, 100])
async def test_a_server_that_is_away_has_taken_nothing_and_is_asked_again(tries: int) -> None:
    async with opened(PostOffice()) as office:
        pass
    outcome = await by_mail(office.port)(tried(tries))
    assert (outcome.taken, outcome.hopeless, outcome.unsure) == (False, False, False)
    assert outcome.error == "SMTPConnectError"


async def test_of_a_server_that_goes_without_an_answer_nobody_knows() -> None:
    office = PostOffice()

    async def go(server, session, envelope):  # type: ignore[no-untyped-def]
        server.transport.abort()
        return "250 OK"

    office.handle_DATA = go  # type: ignore[method-assign]
    async with opened(office):
        outcome = await by_mail(office.port)(delivery())
    assert (outcome.taken, outcome.hopeless, outcome.unsure) == (False, False, True)


async def test_what_an_error_says_is_not_kept() -> None:
    """It may quote the mail."""
    async with opened(PostOffice(lambda _: "550 no invoices for a@example.com")) as office:
        outcome = await by_mail(office.port)(delivery())
    assert outcome.error == "SMTPDataError"
    assert outcome.answer is None
