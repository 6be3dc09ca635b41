"""How far a sync is, and what it did on its way: its checkpoint, and its result."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from tawny.integrations.service import CallFailed, Missing

NAMED: Final = 10
"""How many of the users who could not be synced a result names."""


@dataclass(slots=True)
class Tally:
    """`key` is the fingerprint of the API key that it was done with: with another one, a sync begins anew."""

    key: str
    # Where it is: still listing (behind `cursor`), or, from `moment` on, among those that were due then (behind `after`).
    cursor: str | None = None
    first: str | None = None
    moment: datetime | None = None
    after: tuple[datetime, UUID] | None = None
    # What it did.
    total: int = 0
    unchanged: int = 0
    active: int = 0
    inactive: int = 0
    not_found: int = 0
    errors: int = 0
    skipped_anonymous: int = 0
    requests: int = 0
    rate_limited: int = 0
    error_users: list[str] = field(default_factory=list)
    error_status_counts: dict[str, int] = field(default_factory=dict)
    catalog_degraded: bool = False
    listing_incomplete: bool = False

    @property
    def synced(self) -> int:
        return self.unchanged + self.active + self.inactive

    @property
    def skipped(self) -> int:
        return self.not_found + self.errors

    @property
    def message(self) -> str:
        return f"Synced {self.synced} users, {self.skipped} skipped"

    def copy(self) -> Tally:
        return deepcopy(self)

    def add_synced(self, *, active: bool) -> None:
        if active:
            self.active += 1
        else:
            self.inactive += 1

    def add_failure(self, app_user_id: str, error: CallFailed) -> None:
        if isinstance(error, Missing):
            self.not_found += 1
            return
        self.errors += 1
        self.error_status_counts[error.label] = self.error_status_counts.get(error.label, 0) + 1
        if len(self.error_users) < NAMED:
            self.error_users.append(app_user_id[:200])

    def end(self) -> None:
        """Those that were deleted on the way are not missing: nobody is left to be synced."""
        self.total = self.synced + self.skipped

    def checkpoint(self) -> Any:
        return to_jsonable_python(self)

    def result(self, *, resumed: bool) -> dict[str, Any]:
        counters = {
            name: getattr(self, name)
            for name in (
                "synced", "total", "skipped", "not_found", "errors", "skipped_anonymous", "active", "inactive", "unchanged",
                "requests", "rate_limited", "error_users", "error_status_counts", "catalog_degraded", "listing_incomplete",
            )
        }  # fmt: skip
        return counters | {"resumed": resumed}


_TALLY: Final = TypeAdapter(Tally)


def resumed_from(checkpoint: Any, key: str) -> Tally | None:
    """The tally in a checkpoint; None without one, or when it was made with another key."""
    if checkpoint is None:
        return None
    tally = _TALLY.validate_python(checkpoint)
    return tally if tally.key == key else None
