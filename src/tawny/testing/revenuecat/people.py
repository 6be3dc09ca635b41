"""All customers of a fake: made when they are asked for, and what has been changed since."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from tawny.testing.revenuecat.catalog import Catalog
from tawny.testing.revenuecat.customer import Customer, Maker
from tawny.testing.revenuecat.ids import index_of
from tawny.testing.revenuecat.options import Options
from tawny.testing.revenuecat.shape import Shape, shape_of
from tawny.testing.revenuecat.wire import Json

_MEMORY: Final = 256
_SHARES: Final = 2**32


class People:
    """Customers by number, which is their place in the listing. Only what was changed is kept in memory."""

    def __init__(self, options: Options, catalog: Catalog, now: int) -> None:
        self._options = options
        self._maker = Maker(options.seed, now, catalog)
        self._first, self._end = 0, options.customers
        self._changed: dict[int, Customer] = {}
        self._names: dict[str, int] = {}
        self._deleted: set[int] = set()
        self._seen: dict[int, int | None] = {}
        self._shares: list[tuple[float, int, int]] = []
        self._whole = lru_cache(_MEMORY)(self._made)
        self._first_head = lru_cache(_MEMORY)(self._made_head)

    def __len__(self) -> int:
        return self._end - self._first - len(self._deleted)

    def __iter__(self) -> Iterator[int]:
        return self.after(None)

    def after(self, index: int | None) -> Iterator[int]:
        """The numbers of those who come after this one in the listing."""
        start = self._first if index is None else index + 1
        return filter(self.has, range(start, self._end))

    def has(self, index: int) -> bool:
        """Whether there is a customer with this number."""
        return self._first <= index < self._end and index not in self._deleted

    def resolve(self, customer_id: str) -> int | None:
        """The number of the customer who has this id or alias."""
        index = self._names.get(customer_id)
        if index is None:
            index = index_of(customer_id)
        if index is None or not self.has(index):
            return None
        head = self._head(index)
        return index if customer_id == head.id or customer_id in head.aliases else None

    def place(self, customer_id: str) -> int | None:
        """The number of the customer with exactly this id, as cursors name it."""
        index = self.resolve(customer_id)
        return index if index is not None and self._head(index).id == customer_id else None

    def whole(self, index: int) -> Customer:
        """The customer; not to be changed."""
        return self._changed.get(index) or self._whole(index)

    def copy(self, index: int) -> Customer:
        """The customer as it would be sent now, to be changed and put back."""
        customer = deepcopy(self.whole(index))
        customer.sent["last_seen_at"] = self.last_seen_at(index)
        return customer

    def summary(self, index: int) -> Json:
        """The fields of the customer object besides its lists."""
        head = self._head(index)
        return {"object": "customer", "id": head.id, **head.sent, "last_seen_at": self.last_seen_at(index)}

    def last_seen_at(self, index: int) -> int | None:
        if index in self._seen:
            return self._seen[index]
        for share, seed, at in reversed(self._shares):
            if _is_chosen(index, share, seed):
                return at
        at_first: int | None = self._head(index).sent["last_seen_at"]
        return at_first

    def put(self, customer: Customer) -> None:
        """Let the customer with this id be so from now on. KeyError for an unknown one."""
        index = self._known(customer.id)
        self._changed[index] = deepcopy(customer)
        self._seen[index] = customer.sent["last_seen_at"]
        self._names |= dict.fromkeys((customer.id, *customer.aliases), index)

    def insert(self, customer_id: str | None, *, first: bool) -> Customer:
        """Add a customer, in the listing before all others or after them."""
        self._first -= first
        self._end += not first
        index = self._first if first else self._end - 1
        customer = self._maker.whole(index, Shape())
        for line in customer.subscriptions:
            line["customer_id"] = line["original_customer_id"] = customer_id or customer.id
        customer.id = customer_id or customer.id
        self._changed[index] = customer
        self._names[customer.id] = index
        return deepcopy(customer)

    def delete(self, customer_id: str) -> None:
        """Remove a customer. A cursor that names it is unknown from now on. KeyError for an unknown one."""
        self._deleted.add(self._known(customer_id))

    def touch(self, customer_id: str, at: int) -> None:
        """Let this customer have been seen at `at`. KeyError for an unknown one."""
        self._seen[self._known(customer_id)] = at

    def touch_share(self, share: float, seed: int, at: int) -> list[int]:
        """Let a share of all customers have been seen at `at`, the same ones for the same seed; returns their numbers."""
        touched = [index for index in self if _is_chosen(index, share, seed)]
        self._shares.append((share, seed, at))
        for index in touched:
            self._seen.pop(index, None)
        return touched

    def _known(self, customer_id: str) -> int:
        index = self.resolve(customer_id)
        if index is None:
            raise KeyError(customer_id)
        return index

    def _head(self, index: int) -> Customer:
        return self._changed.get(index) or self._first_head(index)

    def _made_head(self, index: int) -> Customer:
        return self._maker.head(index, self._shape(index))

    def _made(self, index: int) -> Customer:
        return self._maker.whole(index, self._shape(index))

    def _shape(self, index: int) -> Shape:
        return shape_of(self._options.seed, index, self._options.mix)


def _is_chosen(index: int, share: float, seed: int) -> bool:
    digest = blake2b(f"{seed}/{index}".encode(), digest_size=4).digest()
    return int.from_bytes(digest) < share * _SHARES
