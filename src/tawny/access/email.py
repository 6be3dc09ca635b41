"""E-mail addresses."""

from __future__ import annotations

import re
from typing import Final

from tawny.errors import InvalidRequest

EMAIL_LIMIT: Final = 254

_ATOM: Final = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ADDRESS: Final = re.compile(rf"(?=[^@]{{1,64}}@)(?!.*=\?){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*", re.ASCII)


def check_email(text: str) -> str:
    """Return one plain address in lower case; InvalidRequest for anything else.

    Plain is `name@domain` in ASCII, at most 254 characters: no quotes, no display name, no list, no comment, no address literal,
    and nothing that a mail's header could be read to mean something else by (an encoded word).
    """
    if isinstance(text, str) and len(text) <= EMAIL_LIMIT and text.isascii() and _ADDRESS.fullmatch(text.lower()):
        return text.lower()
    raise InvalidRequest(
        "This is not an e-mail address that mail can be sent to; write it as name@example.com.", code="invalid_email"
    )
