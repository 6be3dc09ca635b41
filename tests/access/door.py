"""What the API does around the verbs of signing in: a transaction for each, and an address that it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from tawny.access import AgentSignedIn, Attempt, SignedIn, agent_login, check_email, send_code, verify_code
from tawny.access.codes import make_code
from tawny.db.pool import Connection

SECRET = b"an own secret for tests, 32 bytes or more"
ANN = "ann@example.com"
CLIENT = "192.0.2.1"


@dataclass
class Door:
    conn: Connection
    signup: bool = True

    async def send(self, email: str = ANN, *, client: str = CLIENT) -> tuple[str, str] | None:
        async with self.conn.transaction():
            return await send_code(self.conn, SECRET, email, client=client, signup=self.signup)

    async def code(self, email: str = ANN) -> str:
        """A code for this address, whether or not it would be mailed."""
        return await make_code(self.conn, SECRET, check_email(email))

    async def verify(self, code: str, email: str = ANN, *, client: str = CLIENT) -> SignedIn | None:
        async with self.conn.transaction():
            return await verify_code(self.conn, SECRET, Attempt(email, code, client), signup=self.signup)

    async def agent(self, code: str, email: str = ANN, *, team_id: UUID | None = None) -> AgentSignedIn | None:
        async with self.conn.transaction():
            attempt = Attempt(email, code, CLIENT)
            return await agent_login(self.conn, SECRET, attempt, team_id=team_id, signup=self.signup)

    async def sign_in(self, email: str = ANN) -> SignedIn:
        signed_in = await self.verify(await self.code(email), email)
        assert signed_in is not None
        return signed_in
