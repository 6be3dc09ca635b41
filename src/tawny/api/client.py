"""From where a request comes."""

from __future__ import annotations

from starlette.types import Scope

from tawny.access import client_subject


def client_of(scope: Scope, proxies: int) -> str:
    """The client's address, as limits count it: what the outermost of `proxies` trusted proxies says, without any the peer's.

    Each proxy adds to `X-Forwarded-For` whom it was called by; what stands further left came from the client itself, and may be
    made up.
    """
    peer = scope["client"][0] if scope.get("client") else None
    if not proxies:
        return client_subject(peer)
    headers = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    said = [part.strip() for part in ",".join(headers).split(",") if part.strip()]
    return client_subject(said[-proxies] if len(said) >= proxies else peer)
