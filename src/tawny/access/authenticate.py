"""From an Authorization header to an Actor."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from tawny.access.actor import Actor
from tawny.access.credential import read_bearer, refused
from tawny.access.key_text import PREFIX, hash_key, looks_valid
from tawny.access.last_used import LastUsed
from tawny.access.secret import require_strong
from tawny.access.statements import queries
from tawny.access.tokens import Token, read_token
from tawny.db.pool import Connection, Pool

CACHE_SECONDS: Final = 0.5
"""How old what is known about a credential may be: a revocation holds in every process after this long."""

CACHE_SIZE: Final = 10_000

KeyHash = bytes


@dataclass(slots=True)
class _Lookup:
    """A question to the database that is under way, and since when."""

    task: asyncio.Task[Actor | None]
    since: float


class Authenticator:
    """Says who sends a request, by agent key or by user token. One for each process; used from one loop.

    Keys and tokens that cannot be ours are refused without asking the database. What it says about the others is believed for at
    most half a second. Several first requests with one credential share one lookup.
    """

    def __init__(self, pool: Pool, secret: bytes, clock: Callable[[], float] = monotonic) -> None:
        self._pool = pool
        self._secret = require_strong(secret)
        self._clock = clock
        self._known: OrderedDict[str, tuple[Actor, float]] = OrderedDict()  # by header, the first to expire first
        self._lookups: dict[str, _Lookup] = {}
        self._last_used = LastUsed()

    def cached(self, authorization: str) -> Actor | None:
        """Return who sends this header when that is known already; None says nothing but to ask `actor`."""
        known = self._known.get(authorization)
        return known[0] if known and self._clock() < known[1] else None

    async def actor(self, authorization: str | None) -> Actor:
        """Return who sends this header.

        The same Unauthenticated for no header, a malformed one, and a credential that is unknown, revoked, expired, of a user who
        does not exist any more, or of a key whose maker has left the team.
        """
        if authorization is None:
            raise refused()
        return self.cached(authorization) or await self._look_up(authorization)

    async def run(self) -> None:
        """Write down in the background when keys and sessions were last used, until cancelled."""
        await self._last_used.run(self._pool)

    async def flush_last_used(self, conn: Connection) -> None:
        """Write that down now: for a server that stops."""
        await self._last_used.flush(conn)

    async def _look_up(self, header: str) -> Actor:
        credential = self._read(header)
        # Shielded: whoever asked first may go away, and the others still wait for the answer.
        actor = await asyncio.shield(self._lookup(header, credential).task)
        if actor is None:
            raise refused()
        return actor

    def _read(self, header: str) -> KeyHash | Token:
        """What to look up, once everything that can be checked without the database is."""
        credential = read_bearer(header)
        if not credential.startswith(PREFIX):
            return read_token(self._secret, credential)
        if not looks_valid(credential):
            raise refused()
        return hash_key(credential)

    def _lookup(self, header: str, credential: KeyHash | Token) -> _Lookup:
        now = self._clock()
        running = self._lookups.get(header)
        # An answer to a question asked long ago may be too old for who asks only now.
        if running and now - running.since < CACHE_SECONDS:
            return running
        task = asyncio.create_task(self._ask(header, credential))
        self._lookups[header] = lookup = _Lookup(task, now)
        task.add_done_callback(lambda _: self._forget(header, lookup))
        return lookup

    async def _ask(self, header: str, credential: KeyHash | Token) -> Actor | None:
        async with self._pool.acquire() as conn:
            asked = self._clock()
            actor = await (_find_key(conn, credential) if isinstance(credential, bytes) else _find_user(conn, credential))
        if actor is not None:
            self._remember(header, actor, asked + CACHE_SECONDS)
        return actor

    def _remember(self, header: str, actor: Actor, expires: float) -> None:
        self._last_used.note(actor)
        self._known.pop(header, None)
        now = self._clock()
        while self._known and (len(self._known) >= CACHE_SIZE or next(iter(self._known.values()))[1] <= now):
            self._known.popitem(last=False)
        self._known[header] = actor, expires

    def _forget(self, header: str, lookup: _Lookup) -> None:
        if self._lookups.get(header) is lookup:
            del self._lookups[header]
        # Looked at, so that asyncio does not report an error for which nobody waits any more.
        if not lookup.task.cancelled():
            lookup.task.exception()


async def _find_key(conn: Connection, key_hash: KeyHash) -> Actor | None:
    row = await queries.find_key(conn, key_hash=key_hash)
    if row is None:
        return None
    return Actor("api_key", row["id"], {row["team_id"]: row["role"]}, frozenset(row["permissions"]), row["created_by"])


async def _find_user(conn: Connection, token: Token) -> Actor | None:
    rows = await queries.find_session(conn, session_id=token.session_id, user_id=token.user_id)
    if not rows:
        return None
    roles = {row["team_id"]: row["role"] for row in rows if row["team_id"] is not None}
    return Actor("user", token.user_id, roles, user_id=token.user_id, session_id=token.session_id)
