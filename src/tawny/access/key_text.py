"""What an agent key looks like: `tawny_`, 30 random characters, 6 characters of checksum, all out of 0-9 A-Z a-z.

The checksum lets a mistyped or invented key be refused without asking the database, and scanners tell a real key from a
look-alike.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from typing import Final

PREFIX: Final = "tawny_"
_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM: Final = 30
_CHECKSUM: Final = 6
_SHAPE: Final = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM + _CHECKSUM}}}")


def new_key() -> tuple[str, bytes]:
    """Return the full text of a new key (178 random bits) and the hash to store. The text is to be shown once."""
    random = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    text = PREFIX + random + _checksum(random)
    return text, hash_key(text)


def hash_key(text: str) -> bytes:
    """The SHA-256 of a key. Nothing slower is needed: a key has too many random bits to be guessed."""
    return hashlib.sha256(text.encode()).digest()


def looks_valid(text: str) -> bool:
    """Whether this has the shape and the checksum of a key. Any one character changed makes it False."""
    return _SHAPE.fullmatch(text) is not None and text[-_CHECKSUM:] == _checksum(text[len(PREFIX) : -_CHECKSUM])


def _checksum(random: str) -> str:
    """The CRC-32 of the random part, in base 62."""
    number, digits = zlib.crc32(random.encode()), ""
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
