"""A real mail server in this process, which keeps what it takes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
TAKEN = "250 OK"


@dataclass(frozen=True)
class Letter:
    """A mail that arrived: from whom and to whom as the envelope says, the bytes, and how it came."""

    sender: str
    recipients: list[str]
    raw: bytes
    encrypted: bool
    user: str | None

    @property
    def message(self) -> EmailMessage:
        parsed = BytesParser(policy=default).parsebytes(self.raw)
        assert isinstance(parsed, EmailMessage)
        return parsed


@dataclass
class PostOffice:
    """What the server does with a mail is what `answer` says: take it, or refuse it with that reply."""

    answer: Callable[[Letter], str] = lambda _: TAKEN
    letters: list[Letter] = field(default_factory=list)
    tries: int = 0
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    port: int = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        user = session.auth_data.decode() if session.auth_data else None
        letter = Letter(envelope.mail_from, envelope.rcpt_tos, envelope.original_content, session.ssl is not None, user)
        async with self.arrived:
            self.tries += 1
            reply = self.answer(letter)
            if reply == TAKEN:
                self.letters.append(letter)
            self.arrived.notify_all()
        return reply

    async def until(self, fact: Callable[[], bool]) -> None:
        async with asyncio.timeout(10), self.arrived:
            await self.arrived.wait_for(fact)

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: Any) -> AuthResult:
        good = (login.login, login.password) == (b"ann", b"p@ss:word/")
        return AuthResult(success=good, handled=False, auth_data=login.login)


@asynccontextmanager
async def opened(office: PostOffice, *, tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[PostOffice]:
    """The server at a free port. `tls`: encrypted from the start; `tls_context`: by STARTTLS."""
    loop = asyncio.get_running_loop()
    serve = lambda: SMTP(office, hostname="localhost", loop=loop, **options)  # noqa: E731
    server = await loop.create_server(serve, HOST, 0, ssl=tls)
    office.port = server.sockets[0].getsockname()[1]
    try:
        yield office
    finally:
        server.close()


@dataclass(frozen=True)
class Certificate:
    path: Path
    context: ssl.SSLContext


def self_signed(folder: Path) -> Certificate:
    """A certificate of 127.0.0.1 that nobody knows, and the server's side of it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path, private = folder / "certificate.pem", folder / "key.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, private)
    return Certificate(path, context)
