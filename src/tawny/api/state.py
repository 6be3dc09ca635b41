"""What every endpoint works with, for as long as the server is up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.types import Scope

from tawny.access import Authenticator
from tawny.api.pace import Pace
from tawny.api.scrape import Scrape
from tawny.config import Settings
from tawny.db.pool import Pool
from tawny.integrations import Keyring
from tawny.integrations.revenuecat import RevenueCat
from tawny.jobs import Job
from tawny.live import Feed
from tawny.mail import Mailer
from tawny.runs import Waker


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Kept as `app.state.tawny`."""

    pool: Pool
    authenticator: Authenticator
    waker: Waker
    jobs: Mapping[str, Job]
    settings: Settings
    scrape: Scrape
    secret: bytes = field(repr=False)
    keyring: Keyring
    mailer: Mailer
    pace: Pace
    feed: Feed
    revenuecat: RevenueCat


def state_of(scope: Scope) -> State:
    """The state of the app that serves this request."""
    state: State | None = getattr(scope["app"].state, "tawny", None)
    if state is None:
        raise RuntimeError("This API is not open: write `async with opened(api)` in the lifespan of the app that mounts it.")
    return state


def root_of(scope: Scope) -> str:
    """The path under which this app is mounted; empty when it is at the root."""
    root: str = scope.get("root_path", "")
    return root.rstrip("/")
