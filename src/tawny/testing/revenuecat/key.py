"""Keys, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from tawny.testing.revenuecat.routes import SCOPES

ALL_SCOPES: Final = frozenset(SCOPES.values())
PROJECT: Final = "projfa4e0001"
"""The project that has the customers."""


@dataclass(slots=True)
class Key:
    """A secret key. Of its `projects`, PROJECT has the customers and all others are empty; a key may also see none."""

    secret: str = "sk_fakeFakeFakeFakeFakeFake"  # noqa: S105  (opens nothing)
    scopes: frozenset[str] = ALL_SCOPES
    projects: list[str] = field(default_factory=lambda: [PROJECT])
    revoked: bool = False

    def revoke(self) -> None:
        """From now on it is refused."""
        self.revoked = True

    def without(self, *scopes: str) -> Key:
        """Take these scopes away."""
        self.scopes -= set(scopes)
        return self
