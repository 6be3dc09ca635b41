"""What is posted to a webhook: JSON for programs, or a message as Slack and its likes take it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from tawny.notifications import words
from tawny.notifications.delivery import Delivery, EndedRun
from tawny.notifications.letter import VERBS, Desk

TEST: Final = "test"
"""The event of a message that somebody sends to see whether it arrives."""

_ERROR: Final = 500
_RESULT: Final = 8


def body(delivery: Delivery, desk: Desk) -> bytes:
    """The body of a delivery, the same each time that it is tried."""
    if delivery.webhook is not None and delivery.webhook.format == "slack":
        return json.dumps(_message(delivery, desk), ensure_ascii=False).encode(errors="replace")
    return _json(delivery).encode()


def _json(delivery: Delivery) -> str:
    kind = f"webhook.{TEST}" if delivery.run is None else f"run.{delivery.event}"
    at = delivery.created_at if delivery.run is None else delivery.run.completed_at
    run = "null" if delivery.run is None else delivery.run.public
    time = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f'{{"type":"{kind}","timestamp":"{time}","data":{{"job_run":{run}}}}}'


def _message(delivery: Delivery, desk: Desk) -> dict[str, Any]:
    """Everything that a job or a team wrote is plain text, in which nothing is marked up, linked or called by its name.

    What shows no blocks shows the `text`, which has nothing that a job wrote.
    """
    if delivery.run is None:
        name = words.line(delivery.webhook.name if delivery.webhook else "", 80)
        return {"text": _escaped(f"Test of the webhook {name}"), "blocks": [_plain(f"Test of the webhook {name}")]}
    run, verb = delivery.run, VERBS[delivery.event]
    headline = f"{_ICONS[delivery.event]} {desk.label(run.job_type)} {verb}"
    blocks = [_plain(headline), _plain("\n".join(_lines(run)))]
    link = desk.link(run)
    return {"text": _text(run, headline, link), "blocks": [*blocks, *([_button(link)] if link else [])]}


def _text(run: EndedRun, headline: str, link: str | None) -> str:
    project = words.line(run.project, 80) if run.project else None
    took = words.duration(run.seconds) if run.seconds is not None else None
    said = _escaped(" · ".join(part for part in (headline, project, took) if part))
    return f"{said}\n{link}" if link else said


_ICONS: Final = {"completed": "✅", "failed": "❌", "cancelled": "⏹"}


def _lines(run: EndedRun) -> list[str]:
    found = {
        "Project": words.line(run.project, 80) if run.project else None,
        "Took": words.duration(run.seconds) if run.seconds is not None else None,
        "Progress": words.progress(run.progress) if run.progress else None,
        "Error": words.lines(run.error, _ERROR) if run.error else None,
        **{words.line(name, 40): words.value(of) for name, of in list((run.result or {}).items())[:_RESULT]},
    }
    return [f"{name}: {text}" for name, text in found.items() if text] or ["Nothing more is known of it"]


def _plain(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "plain_text", "text": text[:3_000], "emoji": False}}


def _button(link: str) -> dict[str, Any]:
    return {
        "type": "actions",
        "elements": [{"type": "button", "text": {"type": "plain_text", "text": "Open the run"}, "url": link}],
    }


def _escaped(text: str) -> str:
    """For the line that is shown where there is no room for blocks, or none are known.

    There `<…>` and `[…](…)` would be a link, and `@…` or `<!…>` call somebody.
    """
    harmless = text.replace("@", "@\u200b").replace("](", "]\u200b(")
    return harmless.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def now() -> int:
    """Seconds since 1970, as they are signed."""
    return int(datetime.now(UTC).timestamp())
