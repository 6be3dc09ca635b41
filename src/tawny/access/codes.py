"""Six-digit codes, mailed to an address to prove that whoever types them reads its mail."""

from __future__ import annotations

import hmac
import re
import secrets
from typing import Final

from tawny.access.statements import queries
from tawny.db.pool import Connection

CODE_MINUTES: Final = 10
CODE_TRIES: Final = 5

_DIGITS: Final = 6
_SHAPE: Final = re.compile(rf"[0-9]{{{_DIGITS}}}", re.ASCII)


async def make_code(conn: Connection, secret: bytes, email: str) -> str:
    """Return a new code for this address (already checked), good for 10 minutes; the one before is not good any more."""
    code = f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}}"
    await queries.put_code(conn, email=email, code_hash=_hash(secret, email, code), minutes=CODE_MINUTES)
    return code


async def redeem_code(conn: Connection, secret: bytes, email: str, code: str) -> bool:
    """Whether this is the address's code: then it is used up. A wrong one is counted, and after 5 of them no code is good.

    One statement decides, under the lock of the row: of any number who try the right code at once, one is told yes.
    """
    if not _SHAPE.fullmatch(code):
        code = ""  # counted as well, and never right
    right: bool | None = await queries.redeem_code(conn, email=email, code_hash=_hash(secret, email, code), most_tries=CODE_TRIES)
    return bool(right)


def _hash(secret: bytes, email: str, code: str) -> bytes:
    """An HMAC and no plain hash: a stolen table of a million possible codes would be read at once."""
    return hmac.digest(secret, f"tawny:code:{email}:{code}".encode(), "sha256")
