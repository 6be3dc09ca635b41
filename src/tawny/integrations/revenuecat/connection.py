"""RevenueCat as this process reaches it: its address, the allowances of keys, and what is remembered of projects."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from time import monotonic
from typing import Any, Final
from uuid import UUID

import httpx

from tawny.access.keyring import Keyring, load_or_make_keyring
from tawny.config import Settings
from tawny.db.pool import Connection
from tawny.integrations.pace import Opens, Pace
from tawny.integrations.providers import REVENUECAT
from tawny.integrations.revenuecat.client import Client
from tawny.integrations.revenuecat.subscriber import Catalog
from tawny.integrations.service import CallFailed, Manners, Refused, Service
from tawny.integrations.store import open_config

NAME: Final = "RevenueCat"
NOT_CONNECTED: Final = "RevenueCat integration not found or disabled"

_REMEMBERED: Final = 300.0  # seconds
_PROJECT_SHARE: Final = 8  # RevenueCat allows 480 calls a minute about customers and 60 about a project
_TIMEOUT: Final = httpx.Timeout(10.0)


class WrongProject(CallFailed):
    """The key sees no project, or several."""

    def __init__(self, message: str) -> None:
        super().__init__(message, label="project")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a project is connected with. `project`: which of RevenueCat's projects, where that had to be said."""

    key: str = field(repr=False)
    project: str | None = None

    @property
    def fingerprint(self) -> str:
        """A name of the key, which says nothing about it."""
        return hashlib.sha256(b"tawny:revenuecat:" + self.key.encode()).hexdigest()[:16]


@dataclass(slots=True)
class RevenueCat:
    """Made once in a process, and used in one event loop. `rate`: calls a minute about customers; 0 is no limit."""

    keyring: Callable[[], Keyring]
    url: str
    rate: float
    manners: Manners = field(default_factory=Manners)
    pauses: tuple[float, ...] = (5.0, 15.0, 40.0)
    """How long to wait between looks whether an outage is over."""
    at_once: int = 8
    """Subscribers that are asked for at once."""
    _paces: dict[str, Pace] = field(default_factory=dict)
    _catalogs: dict[tuple[str, str], tuple[float, Catalog]] = field(default_factory=dict)

    @staticmethod
    def of(settings: Settings) -> RevenueCat:
        """As the operator set it."""
        return RevenueCat(
            keyring=cache(lambda: load_or_make_keyring(settings.data_dir, settings.encryption_keys)),
            url=settings.revenuecat_url,
            rate=settings.revenuecat_rate,
        )

    async def credentials(self, conn: Connection, team_id: UUID, project_id: UUID) -> Credentials | None:
        """With what this project is connected; None unless it is, and the integration is on. CannotDecrypt as the keyring."""
        config = await open_config(conn, self.keyring(), team_id=team_id, project_id=project_id, provider=REVENUECAT)
        return None if config is None else Credentials(config["api_key"], config.get("rc_project_id"))

    @asynccontextmanager
    async def client(self, credentials: Credentials, opens: Opens, manners: Manners | None = None) -> AsyncIterator[Client]:
        """A client with this key. `opens`: transactions in which turns are reserved. `manners`: unless as patient as ever."""
        verify = _trusted() if self.url.startswith("https:") else False
        async with httpx.AsyncClient(base_url=self.url, timeout=_TIMEOUT, verify=verify) as http:
            service = Service(name=NAME, http=http, key=credentials.key, opens=opens, manners=manners or self.manners)
            yield Client(
                service,
                customers_pace=self._pace(credentials, "customers", self.rate),
                project_pace=self._pace(credentials, "project", self.rate / _PROJECT_SHARE),
            )

    def _pace(self, credentials: Credentials, domain: str, per_minute: float) -> Pace:
        subject = f"revenuecat:{credentials.fingerprint}:{domain}"
        return self._paces.setdefault(subject, Pace(subject, per_minute))

    async def catalog(self, client: Client, credentials: Credentials, project: str) -> Catalog:
        """What the project's entitlements and products are called: remembered for five minutes, a degraded one not at all."""
        place = (credentials.fingerprint, project)
        until, catalog = self._catalogs.get(place, (0.0, _NOTHING_KNOWN))
        if monotonic() < until:
            return catalog
        catalog = await _catalog(client, project)
        if not catalog.degraded:
            self._catalogs[place] = (monotonic() + _REMEMBERED, catalog)
        return catalog


_NOTHING_KNOWN: Final = Catalog({}, {}, degraded=True)


async def project_of(client: Client, credentials: Credentials) -> str:
    """The id of RevenueCat's project: the one that was said, or the only one that the key sees; WrongProject otherwise."""
    if credentials.project is not None:
        return credentials.project
    projects = await client.projects()
    if not projects:
        raise WrongProject("The API key sees no project at RevenueCat; make a secret key (V2) in the project's own settings.")
    if len(projects) > 1:
        seen = ", ".join(project.id for project in projects[:10])
        raise WrongProject(f"The API key sees several projects ({seen}); say which one in the integration's rc_project_id.")
    return projects[0].id


async def _catalog(client: Client, project: str) -> Catalog:
    try:
        entitlements: Mapping[str, Any] = {e.id: e.lookup_key for e in await client.entitlements(project)}
        products: Mapping[str, Any] = {p.id: p.store_identifier for p in await client.products(project)}
    except Refused:
        raise
    except CallFailed:
        return _NOTHING_KNOWN
    return Catalog(entitlements, products)


@cache
def _trusted() -> ssl.SSLContext:
    """Made once: it takes longer than a call."""
    return httpx.create_ssl_context()
