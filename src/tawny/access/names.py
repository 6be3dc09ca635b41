"""What teams, projects and keys may be called."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from tawny.errors import InvalidRequest

NAME_LIMIT: Final = 200
SLUG_LIMIT: Final = 64

_SLUG: Final = re.compile(rf"[a-z0-9-]{{1,{SLUG_LIMIT}}}")
_NOT_OF_A_SLUG: Final = re.compile(r"[^a-z0-9]+")
# Controls, lone surrogates, line and paragraph separators.
_UNPRINTABLE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Nobody sees them, or they turn the text around them: a name could be made to look like another, or like none.
_DECEPTIVE: Final = frozenset("\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")


def clean_name(name: str) -> str:
    """Return a name of 1-200 characters without controls and outer spaces; InvalidRequest when none is left, or too many."""
    # Measured first as well, so that a megabyte is refused without reading it.
    if isinstance(name, str) and len(name) <= 2 * NAME_LIMIT:
        cleaned = "".join(filter(_is_printable, name)).strip()
        if 1 <= len(cleaned) <= NAME_LIMIT:
            return cleaned
    raise InvalidRequest(f"A name has 1 to {NAME_LIMIT} characters.", code="invalid_name")


def _is_printable(character: str) -> bool:
    return unicodedata.category(character) not in _UNPRINTABLE and character not in _DECEPTIVE


def check_slug(slug: str) -> str:
    """Return the slug; InvalidRequest unless it is 1-64 of `a-z`, `0-9` and `-`."""
    if isinstance(slug, str) and _SLUG.fullmatch(slug):
        return slug
    raise InvalidRequest(f"A slug has 1 to {SLUG_LIMIT} characters out of a-z, 0-9 and -.", code="invalid_slug")


def slug_of(name: str, limit: int = SLUG_LIMIT) -> str:
    """Make a slug of at most `limit` characters out of any name: `"Café Zoë"` becomes `cafe-zoe`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return _NOT_OF_A_SLUG.sub("-", plain).strip("-")[:limit].rstrip("-") or "team"
