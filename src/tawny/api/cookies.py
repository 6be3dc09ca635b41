"""Cookies: never to be read by scripts, nor sent along by other sites' forms; over TLS only, where people reach the server so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tawny.access.tokens import LIFETIME
from tawny.api.answers import Header
from tawny.config import Settings

SESSION: Final = "tawny_session"


def session_cookie(settings: Settings, token: str) -> Header:
    """Keeps a person signed in."""
    return set_cookie(settings, SESSION, token, int(LIFETIME.total_seconds()))


def no_session_cookie(settings: Settings) -> Header:
    """Forgets that."""
    return set_cookie(settings, SESSION, "", 0)


def set_cookie(settings: Settings, name: str, value: str, seconds: int) -> Header:
    """Keep a value in the browser for so long; 0 seconds take it away."""
    secure = "; Secure" if _over_tls(settings) else ""
    text = f"{_name(settings, name)}={value}; HttpOnly; SameSite=Lax; Path=/; Max-Age={seconds}{secure}"
    return b"set-cookie", text.encode()


def read_cookie(settings: Settings, headers: Iterable[Header], name: str) -> str | None:
    """What the browser keeps under this name. None when it keeps nothing, or two things: then one of them is somebody else's."""
    wanted = f"{_name(settings, name)}="
    pairs = [pair.strip() for key, value in headers if key == b"cookie" for pair in value.decode("latin-1").split(";")]
    found = {pair.removeprefix(wanted) for pair in pairs if pair.startswith(wanted)}
    return found.pop() or None if len(found) == 1 else None


def _name(settings: Settings, name: str) -> str:
    """The prefix makes browsers refuse such a cookie from anybody but this host over TLS."""
    return f"__Host-{name}" if _over_tls(settings) else name


def _over_tls(settings: Settings) -> bool:
    return (settings.public_url or "").startswith("https://")
