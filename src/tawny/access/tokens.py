"""User tokens: JWTs that say who somebody is and by which session, and nothing about what they may do."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import jwt

from tawny.access.credential import CREDENTIAL_LIMIT, refused
from tawny.access.secret import require_strong

ISSUER: Final = "tawny"
AUDIENCE: Final = "tawny:api"
LIFETIME: Final = timedelta(days=7)
CLOCK_LEEWAY: Final = 60
"""Seconds by which another machine of this installation may be ahead."""

_ALGORITHM: Final = "HS256"
_HEADER: Final = {"alg": _ALGORITHM, "typ": "JWT"}
_CLAIMS: Final = frozenset({"exp", "iat", "iss", "aud", "sub", "jti"})
# The header's length is bounded because it is parsed before the signature is known to be good.
_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}")
_jws: Final = jwt.PyJWS(algorithms=[_ALGORITHM])


class Token(NamedTuple):
    """What a token says."""

    user_id: UUID
    session_id: UUID


def issue_token(secret: bytes, user_id: UUID, session_id: UUID, now: datetime, lifetime: timedelta = LIFETIME) -> str:
    """Return a token for this session of a user, good from `now` for `lifetime`. SettingsError for a secret under 32 bytes."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(user_id),
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
        "jti": str(session_id),
    }
    return _jws.encode(json.dumps(claims).encode(), require_strong(secret), algorithm=_ALGORITHM)


def read_token(secret: bytes, text: str, now: datetime | None = None) -> Token:
    """Return what a token of ours says; the same Unauthenticated for everything that is not exactly such a token.

    Its header and its claims are those that `issue_token` writes (and perhaps `nbf`), no more and no less: what would need
    another key, another algorithm or a right to be believed is refused without being looked at.
    """
    if len(text) > CREDENTIAL_LIMIT or not _SHAPE.fullmatch(text):
        raise refused()
    try:
        claims = _verified_claims(require_strong(secret), text)
    except (jwt.PyJWTError, ValueError):
        raise refused() from None
    if not _are_ours(claims) or not _are_current(claims, (now or datetime.now(UTC)).timestamp()):
        raise refused()
    return Token(UUID(claims["sub"]), UUID(claims["jti"]))


def _verified_claims(secret: bytes, text: str) -> dict[str, Any]:
    """The claims, once the signature is verified: only then are they parsed."""
    token = _jws.decode_complete(text, secret, algorithms=[_ALGORITHM])
    claims = json.loads(token["payload"])
    return claims if token["header"] == _HEADER and isinstance(claims, dict) else {}


def _are_ours(claims: dict[str, Any]) -> bool:
    return (
        claims.keys() - {"nbf"} == _CLAIMS
        and claims["iss"] == ISSUER
        and claims["aud"] == AUDIENCE
        and _is_uuid(claims["sub"])
        and _is_uuid(claims["jti"])
        and all(type(claims[name]) is int for name in ("iat", "nbf", "exp") if name in claims)
    )


def _are_current(claims: dict[str, Any], now: float) -> bool:
    begins: int = max(claims["iat"], claims.get("nbf", 0))
    ends: int = claims["exp"]
    return begins - CLOCK_LEEWAY <= now < ends


def _is_uuid(value: object) -> bool:
    try:
        return isinstance(value, str) and str(UUID(value)) == value
    except ValueError:
        return False
