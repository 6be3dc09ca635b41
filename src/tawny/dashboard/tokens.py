"""Tokens in forms: they tie a form to the browser that it was shown to."""

from __future__ import annotations

import hmac
import secrets
from typing import Final

VISITOR: Final = "tawny_visitor"
"""The cookie of a browser in which nobody is signed in."""

VISITOR_SECONDS: Final = 3600


def new_visitor() -> str:
    """A name for a browser that has none."""
    return secrets.token_urlsafe(24)


def make(secret: bytes, holder: str) -> str:
    """The token for who holds this session, or is this visitor."""
    return hmac.digest(secret, f"tawny:form:{holder}".encode(), "sha256").hex()


def fits(secret: bytes, holder: str, sent: str) -> bool:
    """Whether this is that token; never for nobody."""
    return bool(holder) and hmac.compare_digest(make(secret, holder).encode(), sent.encode())
