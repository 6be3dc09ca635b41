"""Server-sent events, line by line."""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class Sent(NamedTuple):
    """One message."""

    id: str | None
    kind: str
    data: dict[str, Any]


class Parser:
    """Takes lines, and gives a message at each empty one that ends one."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}

    def feed(self, line: str) -> Sent | None:
        """The message that this line ends, or None. Comments and unknown fields are passed over."""
        if line:
            name, _, value = line.partition(":")
            if name in ("id", "event", "data"):
                self._fields[name] = value.removeprefix(" ")
            return None
        fields, self._fields = self._fields, {}
        if "data" not in fields:
            return None
        return Sent(fields.get("id"), fields.get("event", "message"), json.loads(fields["data"]))
