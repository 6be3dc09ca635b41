"""What a browser sends when a form is submitted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope

from tawny.api.body import read_bytes
from tawny.errors import InvalidRequest, UnsupportedMedia

FIELDS_AT_MOST: Final = 2_000


class Form:
    """The fields of a form."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: dict[str, list[str]] = {}
        for name, value in pairs:
            self._fields.setdefault(name, []).append(value)

    def text(self, name: str) -> str:
        """The field's value, the last of several; empty without one."""
        return self._fields.get(name, [""])[-1].strip()

    def raw(self, name: str) -> str | None:
        """The field's value as it was typed; None when the form has no such field."""
        values = self._fields.get(name)
        return values[-1] if values else None

    def all(self, name: str) -> list[str]:
        """Every value of a field, for boxes that can be ticked together."""
        return self._fields.get(name, [])

    def with_prefix(self, prefix: str) -> Mapping[str, str]:
        """The fields whose names begin so, by what comes behind."""
        return {name.removeprefix(prefix): values[-1] for name, values in self._fields.items() if name.startswith(prefix)}


async def read_form(scope: Scope, receive: Receive) -> Form:
    """Return the fields that were sent, within the bounds of every body."""
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    if len(kinds) != 1 or kinds[0].split(b";")[0].strip().lower() != b"application/x-www-form-urlencoded":
        raise UnsupportedMedia("Send the form as a browser does.")
    sent = await read_bytes(scope, receive)
    try:
        pairs = parse_qsl(sent.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_AT_MOST)
    except ValueError:  # also what cannot be decoded
        raise InvalidRequest("The form cannot be read.", code="invalid_form") from None
    return Form((name, value.replace("\r\n", "\n")) for name, value in pairs)
