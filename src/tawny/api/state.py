"""What every endpoint works with, for as long as the server is up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import Scope

from tawny.access import Authenticator
from tawny.api.scrape import Scrape
from tawny.config import Settings
from tawny.db.pool import Pool
from tawny.jobs import Job
from tawny.runs import Waker


@dataclass(frozen=True, slots=True)
class State:
    """Kept as `app.state.tawny`."""

    pool: Pool
    authenticator: Authenticator
    waker: Waker
    jobs: Mapping[str, Job]
    settings: Settings
    scrape: Scrape


def state_of(scope: Scope) -> State:
    """The state of the app that serves this request."""
    state: State = scope["app"].state.tawny
    return state
