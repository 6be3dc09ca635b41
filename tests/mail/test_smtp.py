"""Mails to a mail server: a real one, plain, encrypted, and with a password."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import aiosmtplib
import pytest
from aiosmtpd.smtp import AuthResult
from tests.mail.postoffice import Certificate, PostOffice, opened, self_signed

from tawny.mail import Mail
from tawny.mail.smtp import Smtp

MAIL = Mail("ann@example.com", "Grüße, 123456", "Your code is 123456\n.\nEnd\n", "a gist")
USER = f"ann:{quote('p@ss:word/', safe='')}@"


@pytest.fixture
def office() -> PostOffice:
    return PostOffice()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return self_signed(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def trusted(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Certificate:
    """The machine trusts it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    return certificate


def to(office: PostOffice, *, scheme: str = "smtp", user: str = "", sender: str | None = "me@mail.example") -> Smtp:
    return Smtp(f"{scheme}://{user}127.0.0.1:{office.port}", sender)


async def test_a_mail_arrives_as_it_was_written(office: PostOffice) -> None:
    async with opened(office):
        await to(office).send(MAIL)
    (letter,) = office.letters
    assert (letter.sender, letter.recipients) == ("me@mail.example", ["ann@example.com"])
    assert (letter.encrypted, letter.user) == (False, None)
    assert letter.message["Subject"] == MAIL.subject
    assert str(letter.message["To"]) == MAIL.to
    assert letter.message.get_content().replace("\r\n", "\n") == MAIL.text


async def test_a_mail_without_a_sender_of_its_own_comes_from_tawny(office: PostOffice) -> None:
    async with opened(office):
        await to(office, sender=None).send(MAIL)
    assert office.letters[0].sender == "tawny@localhost"


@pytest.mark.parametrize(
    "address", ["o'hara+tag@example.com", "{a}|b@example.com", "a.=b?c@example.com", "a" * 64 + "@example.com"]
)
async def test_the_envelope_has_exactly_the_address(office: PostOffice, address: str) -> None:
    async with opened(office):
        await to(office).send(Mail(address, "S", "T", "g"))
    assert office.letters[0].recipients == [address]


async def test_a_connection_becomes_encrypted_where_the_server_offers_that(office: PostOffice, trusted: Certificate) -> None:
    async with opened(office, tls_context=trusted.context, require_starttls=True):
        await to(office).send(MAIL)
    assert office.letters[0].encrypted


async def test_a_password_is_given_over_an_encrypted_connection(office: PostOffice, trusted: Certificate) -> None:
    required = {"auth_required": True, "auth_require_tls": True, "authenticator": office.authenticate}
    async with opened(office, tls_context=trusted.context, **required):
        await to(office, user=USER).send(MAIL)
        with pytest.raises(aiosmtplib.SMTPAuthenticationError):
            await to(office, user="ann:another@").send(MAIL)
        with pytest.raises(aiosmtplib.SMTPException):
            await to(office).send(MAIL)
    (letter,) = office.letters
    assert (letter.encrypted, letter.user) == (True, "ann")


async def test_a_password_is_never_given_in_the_clear(office: PostOffice) -> None:
    asked: list[object] = []

    def authenticate(*said: object) -> AuthResult:
        asked.append(said)
        return AuthResult(success=True)

    async with opened(office, auth_required=True, auth_require_tls=False, authenticator=authenticate):
        with pytest.raises(aiosmtplib.SMTPException):
            await to(office, user=USER).send(MAIL)
    assert (asked, office.tries) == ([], 0)


async def test_smtps_is_encrypted_from_the_start(office: PostOffice, trusted: Certificate) -> None:
    async with opened(office, tls=trusted.context):
        await to(office, scheme="smtps").send(MAIL)
    assert office.letters[0].message["Subject"] == MAIL.subject


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_server_whose_certificate_nobody_vouches_for_gets_no_mail(
    office: PostOffice, certificate: Certificate, scheme: str, tmp_path: Path
) -> None:
    how = {"tls": certificate.context} if scheme == "smtps" else {"tls_context": certificate.context}
    async with opened(office, **how):
        with pytest.raises((OSError, aiosmtplib.SMTPException)):
            await to(office, scheme=scheme).send(MAIL)
    assert office.tries == 0


@pytest.mark.parametrize("reply", ["550 no such mailbox", "451 later, perhaps", "554 spam"])
async def test_a_refusal_is_an_error(office: PostOffice, reply: str) -> None:
    office.answer = lambda _: reply
    async with opened(office):
        with pytest.raises(aiosmtplib.SMTPException):
            await to(office).send(MAIL)
    assert office.tries == 1


async def test_a_server_that_is_not_there_is_an_error(office: PostOffice) -> None:
    async with opened(office):
        pass
    with pytest.raises((OSError, aiosmtplib.SMTPException)):
        await to(office).send(MAIL)
