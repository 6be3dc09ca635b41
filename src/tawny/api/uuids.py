"""Identifiers in addresses and bodies."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

NOBODY: Final = UUID(int=0)
"""The id of nothing at all. What is looked up by it is answered like any other unknown id, by the same path."""

_CANONICAL: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def parse_uuid(text: str) -> UUID | None:
    """The UUID in its canonical form, in either case; None for anything else, also for what Python would take: braces, `urn:`."""
    return UUID(text) if _CANONICAL.fullmatch(text) else None
