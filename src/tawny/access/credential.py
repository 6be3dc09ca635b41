"""What a caller shows to say who they are."""

from __future__ import annotations

from typing import Final

from tawny.errors import Unauthenticated

CREDENTIAL_LIMIT: Final = 4096
"""Characters. Ours are 42 (keys) and about 300 (tokens)."""


def refused() -> Unauthenticated:
    """The one error for every credential that is not good, whatever is wrong with it: to say what would help to guess it."""
    return Unauthenticated("Sign in, or send a valid API key as `Authorization: Bearer tawny_…`.")


def read_bearer(authorization: str) -> str:
    """Return the credential of `Bearer <credential>`; Unauthenticated when the header has any other shape.

    The scheme may be in any case. Exactly one space stands between: another one is taken for a part of the credential.
    """
    scheme, _, credential = authorization.partition(" ")
    if scheme.lower() != "bearer" or not 0 < len(credential) <= CREDENTIAL_LIMIT:
        raise refused()
    return credential
