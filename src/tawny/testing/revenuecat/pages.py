"""Lists: the part of one that was asked for, and the address of the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from urllib.parse import urlencode

from tawny.testing.revenuecat.knobs import Knobs
from tawny.testing.revenuecat.routes import Call
from tawny.testing.revenuecat.wire import Json, listed

PAGE: Final = 20
"""Items on a page when no `limit` was asked for."""

FOREIGN: Final = "http://127.0.0.2:9"
"""Nobody listens there."""


class LimitRefused(Exception):
    """The `limit` is not a number, or is over the cap where that is refused."""


@dataclass(frozen=True, slots=True)
class Pager:
    """Makes pages for one call."""

    call: Call
    knobs: Knobs
    origin: str

    @property
    def limit(self) -> int:
        """LimitRefused for one that cannot be had."""
        text = self.call.query.get("limit", str(PAGE))
        if not text.isascii() or not text.isdigit() or text == "0":
            raise LimitRefused
        if int(text) > self.knobs.page_cap and self.knobs.over_cap == "refuse":
            raise LimitRefused
        return min(int(text), self.knobs.page_cap)

    @property
    def cursor(self) -> str | None:
        """What the page comes after."""
        return None if self.call.route in self.knobs.forgotten_cursor else self.call.query.get("starting_after")

    def page(self, items: Iterable[Any], key_of: Callable[[Any], str], shown: Callable[[Any], Any] = lambda item: item) -> Json:
        """The page that begins with `items`."""
        taken = list(islice(iter(items), self.limit + 1))
        on_page = taken[: self.limit]
        cursor = key_of(on_page[-1]) if len(taken) > len(on_page) else None
        return self._listed([shown(item) for item in on_page], self._next(cursor), self.call.path)

    def page_of(self, items: Sequence[Any], key_of: Callable[[Any], str]) -> Json:
        """The page after the cursor that was sent, or the first one for a cursor that names nothing: so does the API."""
        keys = [key_of(item) for item in items] if self.cursor is not None else []
        start = keys.index(self.cursor) + 1 if self.cursor in keys else 0
        return self.page(items[start:], key_of)

    def embedded(self, items: Sequence[Any], key_of: Callable[[Any], str], name: str) -> Json:
        """The first page of a list inside another object; the next ones are at the address of that list."""
        path = f"{self.call.path}/{name}"
        cursor = key_of(items[PAGE - 1]) if len(items) > PAGE else None
        return self._listed(items[:PAGE], None if cursor is None else f"{path}?{urlencode({'starting_after': cursor})}", path)

    def _next(self, cursor: str | None) -> str | None:
        asked = dict(self.call.query)
        if self.call.route in self.knobs.repeated_cursor:
            return f"{self.call.path}?{urlencode(asked)}"
        if cursor is None:
            return None
        return f"{self.call.path}?{urlencode(asked | {'starting_after': cursor})}"

    def _listed(self, items: Sequence[Any], next_page: str | None, path: str) -> Json:
        absolute = self.knobs.next_page != "relative"
        if next_page is not None:
            next_page = {"relative": "", "absolute": self.origin, "foreign": FOREIGN}[self.knobs.next_page] + next_page
        made = listed(items, (self.origin if absolute else "") + path, next_page)
        if next_page is None and self.knobs.last_page == "absent":
            del made["next_page"]
        return made
