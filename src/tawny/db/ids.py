"""Identifiers that sort by the time they were made."""

from __future__ import annotations

import os
import threading
import time
from uuid import UUID

_guard = threading.Lock()
_last = 0


def uuid7() -> UUID:
    """Return a new UUIDv7 (RFC 9562) that sorts after every one this process made before.

    48 bits of milliseconds since 1970, then 12 bits of the millisecond's fraction (method 3 of the RFC), then 62 random bits.
    Neither Python 3.11 nor PostgreSQL 15 has them.
    """
    global _last
    with _guard:
        # The unit is 1/4096 of a millisecond.
        _last = stamp = max(_last + 1, time.time_ns() * 4096 // 1_000_000)
    milliseconds, fraction = stamp >> 12, stamp & 0xFFF
    random = int.from_bytes(os.urandom(8), "big") & 0x3FFF_FFFF_FFFF_FFFF
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random)
