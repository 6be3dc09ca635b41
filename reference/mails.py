"""What mails look like: `python -m reference.mails` writes some into docs/images, `scripts/mails` makes pictures of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from tawny.notifications import Desk
from tawny.notifications.delivery import Delivery, EndedRun
from tawny.notifications.letter import letter

IMAGES = Path(__file__).parents[1] / "docs/images"

_DESK = Desk({"invoice_export": "Invoice export"}, "https://jobs.example.com")
_ENDED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
_RUN: dict[str, Any] = {
    "id": UUID("0195603e-1d2c-7a3b-8c4d-5e6f708192a3"),
    "job_type": "invoice_export",
    "team": "Acme",
    "team_slug": "acme",
    "project": "Web shop",
    "error": None,
    "code": None,
    "progress": {"processed": 1207, "total": 1207, "message": "Exported 1,207 of 1,207 invoices"},
    "result": {"exported": 1204, "skipped": 3, "file": "invoices-2026-03.csv"},
    "started_at": _ENDED - timedelta(seconds=125),
    "completed_at": _ENDED,
    "public": "{}",
}
_FAILED = {
    "error": "The bookkeeping service refused invoice 2026-03-0412:\nthe customer has no VAT number (HTTP 422)",
    "progress": {"processed": 412, "total": 1207, "message": "Exported 412 of 1,207 invoices"},
    "result": None,
}
_STOPPED = {
    "progress": {"processed": 801, "total": 1207, "message": "Exported 801 of 1,207 invoices"},
    "result": {"exported": 801},
}


def pages() -> Iterator[tuple[str, str]]:
    """By the name of its file, each mail as HTML."""
    for event, changes in (("completed", {}), ("failed", _FAILED), ("cancelled", _STOPPED)):
        run = EndedRun(**_RUN | changes)
        delivery = Delivery(UUID(int=1), 1, "mail", event, "you@example.com", "Acme", _ENDED, run, None)
        yield f"mail-{event}.html", letter(delivery, _DESK).html or ""


if __name__ == "__main__":
    for name, html in pages():
        (IMAGES / name).write_text(html)
