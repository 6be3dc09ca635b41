"""What the process of an attempt is told first: which run, and where the author's app and the database are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from tawny.runs import Claimed

_IDS = ("id", "team_id", "project_id")


@dataclass(frozen=True, slots=True)
class Handover:
    """It travels through the channel: a command line can be read by every user of the machine."""

    claimed: Claimed
    app: str
    """The author's app, `module:attribute`."""
    url: str
    deadline: float
    """Until when the attempt may act; moved by what follows. The clock of leases is one for all processes of a machine."""
    parent: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, given: dict[str, Any]) -> Handover:
        claimed = given["claimed"]
        ids = {name: UUID(claimed[name]) for name in _IDS if claimed[name] is not None}
        return cls(**(given | {"claimed": Claimed(**(claimed | ids))}))
