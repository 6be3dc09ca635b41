"""The job type `revenuecat_sync`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, cast
from uuid import UUID

from tawny.access.keyring import CannotDecrypt
from tawny.errors import JobFailed
from tawny.integrations.at_once import unless_cancelled
from tawny.integrations.pace import within
from tawny.integrations.revenuecat.connection import NOT_CONNECTED, Credentials, RevenueCat
from tawny.integrations.revenuecat.store import Owner
from tawny.integrations.revenuecat.sync import Sync
from tawny.integrations.revenuecat.tally import Tally, resumed_from
from tawny.integrations.service import CallFailed
from tawny.jobs import Job, Options, Run, define

SYNC: Final = "revenuecat_sync"

_RETRIES: Final = 10  # from its checkpoint on, when the database was away; what RevenueCat refuses is final


def sync_job(revenuecat: RevenueCat) -> Job:
    """The job type of syncs with RevenueCat as this process reaches it."""

    async def revenuecat_sync(run: Run, project_id: UUID, full: bool = False) -> dict[str, Any]:
        """Sync the project's subscribers from RevenueCat: who is new, was seen, or may have changed; with `full`, everybody."""
        owner = Owner(cast("UUID", run.team_id), project_id)
        credentials = await _credentials(run, revenuecat, owner)
        resumed = resumed_from(run.checkpointed, credentials.fingerprint)
        async with revenuecat.client(credentials, within(run)) as client:
            tally = resumed or Tally(credentials.fingerprint)
            sync = Sync(run, owner, revenuecat, client, credentials, tally, full)
            try:
                ended = await unless_cancelled(run, sync.go())
            except CallFailed as error:
                raise JobFailed(error.message, result=sync.result(resumed=resumed is not None)) from None
        result = sync.result(resumed=resumed is not None)
        return result if ended else result | {"cancelled_at": datetime.now(UTC).isoformat(timespec="milliseconds")}

    return define(revenuecat_sync, Options(name=SYNC, label="RevenueCat sync", retries=_RETRIES, builtin=True))


async def _credentials(run: Run, revenuecat: RevenueCat, owner: Owner) -> Credentials:
    try:
        async with run.transaction() as tx:
            credentials = await revenuecat.credentials(tx.connection, owner.team_id, owner.project_id)
    except CannotDecrypt as error:
        raise JobFailed(error.message) from None
    if credentials is None:
        raise JobFailed(NOT_CONNECTED)
    return credentials
