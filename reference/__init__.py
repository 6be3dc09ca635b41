"""The pages in `docs/reference`, written from the code. `scripts/reference` writes them, and a law compares."""

from collections.abc import Callable, Mapping
from typing import Final

from reference import api, errors, events, metrics, settings

PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "api.md": api.page,
    "errors.md": errors.page,
    "events.md": events.page,
    "metrics.md": metrics.page,
    "settings.md": settings.page,
}
