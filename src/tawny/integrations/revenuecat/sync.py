"""One sync: list who there is, then ask for everybody who is due.

Rows, counters and the place where it is are committed together, a few at a time and in order, while the next ones are asked for.
So an attempt that ends anywhere is gone on with behind what was committed: nothing is counted twice, and less than 150 calls are
made again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from tawny.db.pool import Connection
from tawny.integrations.at_once import in_order, to_the_end
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

AHEAD: Final = 40
"""Subscribers that are asked for before they are committed: times three calls, what a crash costs at most."""

_BY: Final = 10  # or more are committed together
_READ: Final = 40  # rows at a time
_OUTAGES: Final = 3  # at one place: an outage that is over whenever one looks is none

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
    _unanswered: Due | None = None
    _missing: int = 0
    _found_after: int = 0
    """How many were missing when somebody was asked for who was found."""

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
        """Ask for everybody who is due, and after an outage again for those who were not committed."""
        catalog = await self.revenuecat.catalog(self.client, self.credentials, project)
        self.tally.catalog_degraded |= catalog.degraded
        place, outages = self.tally.after, 0
        while True:
            try:
                return await self._walk(project, catalog)
            except Away as error:
                away = error
            place, outages = self.tally.after, outages + 1 if place == self.tally.after else 1
            if outages > _OUTAGES:
                raise away.last
            self.run.log.warning("RevenueCat does not answer; waiting for it", why=away.last.message)
            await self._outage.ride_out(lambda: self._probe(project))

    async def _walk(self, project: str, catalog: Catalog) -> None:
        async def ask(due: Due) -> Outcome:
            return await self._ask(due, project, catalog)

        asked: list[tuple[Due, Outcome]] = []
        async with aclosing(in_order(self._due(), ask, at_once=self.revenuecat.at_once, ahead=AHEAD, by=_BY)) as outcomes:
            async for some in outcomes:
                asked += some
                if not self._outage.suspected:
                    await self._keep_asked(asked, project)
                    asked = []
        await self._keep_asked(asked, project)

    async def _due(self) -> AsyncIterator[Due]:
        assert self.tally.moment is not None  # noqa: S101 (the listing has set it)
        moment, after = self.tally.moment, self.tally.after
        while True:
            async with self.run.transaction() as tx:
                some = await store.next_due(tx.connection, self.owner, moment, after, full=self.full, at_most=_READ)
            for due in some:
                yield due
            if not some:
                return
            after = (some[-1].due_at, some[-1].id)

    async def _probe(self, project: str) -> None:
        """Whether there are answers again, if only that there is no such customer."""
        assert self._unanswered is not None  # noqa: S101 (there was no outage without one)
        try:
            await self.client.customer(project, self._unanswered.app_user_id)
        except (Missing, Rejected, Unusable):
            return

    async def _ask(self, due: Due, project: str, catalog: Catalog) -> Outcome:
        missing = self._missing
        try:
            found = await self.client.customer(project, due.app_user_id)
        except Refused:
            raise
        except CallFailed as error:
            self._missing += isinstance(error, Missing)
            self._unanswered = due
            self._outage.note(error)
            return error
        self._found_after = max(self._found_after, missing)
        self._outage.note(None)
        return known(found, catalog, datetime.now(UTC))

    async def _keep_asked(self, asked: Sequence[tuple[Due, Outcome]], project: str) -> None:
        if not asked:
            return
        if any(isinstance(outcome, Missing) for _, outcome in asked) and self._missing > self._found_after:
            await self._look_for_project(project)
        await self._commit(self.tally.copy(), partial(self._write, asked))

    async def _look_for_project(self, project: str) -> None:
        """Where nobody was found since somebody was not, it may be the project that is gone: Missing then."""
        missing = self._missing
        await self._outage.patiently(lambda: self.client.next_customers(project, Pages()))
        self._found_after = max(self._found_after, missing)

    async def _write(self, asked: Sequence[tuple[Due, Outcome]], conn: Connection, tally: Tally) -> None:
        there = await store.write(conn, self.owner, [(due, known) for due, known in asked if isinstance(known, Known)])
        there |= await store.write_gone(conn, self.owner, [due.id for due, failed in asked if isinstance(failed, Missing)])
        for due, outcome in asked:
            if isinstance(outcome, Known):
                if due.id in there:
                    tally.add_synced(active=outcome.active)
            elif due.id in there or not isinstance(outcome, Missing):
                tally.add_failure(due.app_user_id, outcome)
        last, _ = asked[-1]
        tally.after = (last.due_at, last.id)
