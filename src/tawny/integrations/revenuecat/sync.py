"""One sync: list who there is, then ask for everybody who is due.

Rows, counters and the place where it is are committed together, batch by batch, so that an attempt that ends anywhere is gone on
with at its last batch: nothing is counted twice, and less than 150 calls are made once more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from tawny.db.pool import Connection
from tawny.integrations.at_once import each, to_the_end
from tawny.integrations.revenuecat import store
from tawny.integrations.revenuecat.client import Client, Pages
from tawny.integrations.revenuecat.connection import Credentials, RevenueCat, project_of
from tawny.integrations.revenuecat.outage import Away, Outage
from tawny.integrations.revenuecat.shapes import Customer
from tawny.integrations.revenuecat.store import Due, Owner
from tawny.integrations.revenuecat.subscriber import Catalog, Known, known
from tawny.integrations.revenuecat.tally import Tally
from tawny.integrations.service import CallFailed, Missing, Refused, Rejected, Unusable
from tawny.jobs import Run

BATCH: Final = 40
"""Subscribers that are asked for between two commits: times three calls, what a crash costs at most."""

_OUTAGES: Final = 3  # that one batch may meet: an outage that is over whenever one looks is none

Outcome = Known | CallFailed
"""What came of asking for a subscriber."""


@dataclass(slots=True)
class Sync:
    """`tally` is always what has been committed, besides the counts of calls."""

    run: Run
    owner: Owner
    revenuecat: RevenueCat
    client: Client
    credentials: Credentials
    tally: Tally
    full: bool
    _outage: Outage = field(init=False)
    _before: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self._outage = Outage(self.revenuecat.pauses, self.client.service.sleep)
        self._before = (self.tally.requests, self.tally.rate_limited)

    def result(self, *, resumed: bool) -> dict[str, Any]:
        """What it has done so far."""
        return self._counted(self.tally.copy()).result(resumed=resumed)

    async def go(self) -> bool:
        """Do it, or go on with it; True at its end. CallFailed when it cannot be done; who cannot be had is only counted."""
        self._report()
        project = await self._outage.patiently(lambda: project_of(self.client, self.credentials))
        if self.tally.moment is None:
            await self._list(project)
        await self._detail(project)
        self.tally.end()
        self._report()
        return True

    def _report(self) -> None:
        tally = self.tally
        done = tally.synced + tally.skipped
        self.run.progress(done, max(tally.total, done), tally.message)

    async def _commit(self, after: Tally, write: Callable[[Connection, Tally], Awaitable[None]]) -> None:
        """Let `write` change rows and this tally, and commit both with the checkpoint, whole or not at all."""
        self._counted(after)

        async def commit() -> None:
            async with self.run.transaction() as tx:
                await write(tx.connection, after)
                tx.checkpoint(after.checkpoint())
            self.tally = after

        await to_the_end(commit())
        self._report()

    def _counted(self, tally: Tally) -> Tally:
        counts = self.client.service.counts
        tally.requests = self._before[0] + counts.requests
        tally.rate_limited = self._before[1] + counts.rate_limited
        return tally

    # Who there is

    async def _list(self, project: str) -> None:
        pages = Pages(self.tally.cursor, self.tally.first)
        while not pages.ended:
            customers = await self._outage.patiently(lambda: self.client.next_customers(project, pages))
            await self._commit(self.tally.copy(), partial(self._keep, customers, pages))
        if pages.astray is not None:
            self.run.log.warning(pages.astray.message, listed=self.tally.total)

    async def _keep(self, customers: Sequence[Customer], pages: Pages, conn: Connection, tally: Tally) -> None:
        if not (tally.cursor or tally.total):
            tally.total = await store.count_known(conn, self.owner)
        named = [customer for customer in customers if not store.is_anonymous(customer.id)]
        kept = [customer for customer in named if store.is_storable(customer.id)]
        tally.skipped_anonymous += len(customers) - len(named)
        tally.total += await store.discover(conn, self.owner, kept)
        tally.cursor, tally.first = pages.cursor, pages.first
        if pages.ended:
            tally.listing_incomplete = pages.astray is not None
            begun = await store.begin(conn, self.owner)
            tally.moment, tally.total = begun.moment, begun.total
            tally.unchanged = 0 if self.full else begun.total - begun.due

    # What is known of them

    async def _detail(self, project: str) -> None:
        catalog = await self.revenuecat.catalog(self.client, self.credentials, project)
        self.tally.catalog_degraded |= catalog.degraded
        while batch := await self._next_batch():
            outcomes = await self._outcomes(batch, project, catalog)
            if all(isinstance(outcome, Missing) for outcome in outcomes):
                await self._look_for_project(project)
            await self._commit(self.tally.copy(), partial(self._write, batch, outcomes))

    async def _next_batch(self) -> list[Due]:
        assert self.tally.moment is not None  # noqa: S101 (the listing has set it)
        async with self.run.transaction() as tx:
            where = (tx.connection, self.owner, self.tally.moment, self.tally.after)
            return await store.next_batch(*where, full=self.full, at_most=BATCH)

    async def _outcomes(self, batch: Sequence[Due], project: str, catalog: Catalog) -> list[Outcome]:
        """What came of asking for each of them, anew after an outage."""

        async def ask(due: Due) -> Outcome:
            return await self._ask(due, project, catalog)

        for _ in range(_OUTAGES):
            try:
                return await each(batch, ask, at_once=self.revenuecat.at_once)
            except Away as error:
                away = error
            self.run.log.warning("RevenueCat does not answer; waiting for it", why=away.last.message)
            await self._outage.ride_out(lambda: self._probe(batch[-1], project))
        raise away.last

    async def _probe(self, due: Due, project: str) -> None:
        """Whether there are answers again, if only that there is no such customer."""
        try:
            await self.client.customer(project, due.app_user_id)
        except (Missing, Rejected, Unusable):
            return

    async def _ask(self, due: Due, project: str, catalog: Catalog) -> Outcome:
        try:
            found = await self.client.customer(project, due.app_user_id)
        except Refused:
            raise
        except CallFailed as error:
            self._outage.note(error)
            return error
        self._outage.note(None)
        return known(found, catalog, datetime.now(UTC))

    async def _look_for_project(self, project: str) -> None:
        """Where no customer is found, it may be the project that is gone: Missing then."""
        await self._outage.patiently(lambda: self.client.next_customers(project, Pages()))

    async def _write(self, batch: Sequence[Due], outcomes: Sequence[Outcome], conn: Connection, tally: Tally) -> None:
        asked = list(zip(batch, outcomes, strict=True))
        there = await store.write(conn, self.owner, [(due, known) for due, known in asked if isinstance(known, Known)])
        there |= await store.write_gone(conn, self.owner, [due.id for due, failed in asked if isinstance(failed, Missing)])
        for due, outcome in asked:
            if isinstance(outcome, Known):
                if due.id in there:
                    tally.add_synced(active=outcome.active)
            elif due.id in there or not isinstance(outcome, Missing):
                tally.add_failure(due.app_user_id, outcome)
        tally.after = (batch[-1].due_at, batch[-1].id)
