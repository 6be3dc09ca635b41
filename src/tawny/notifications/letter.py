"""What a mail says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from tawny.mail import Mail
from tawny.notifications import words
from tawny.notifications.delivery import Delivery, EndedRun, Webhook

if TYPE_CHECKING:
    from jinja2 import Environment

VERBS: Final = {"completed": "completed", "failed": "failed", "cancelled": "was cancelled"}

_ERROR: Final = 2_000
_SHOWN: Final = 8
"""Fields of a result."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What letters are written with: the labels of job types, and where links lead."""

    labels: Mapping[str, str]
    base_url: str

    def label(self, job_type: str) -> str:
        """The label of a job type; one that this app does not have is called by its name."""
        return words.line(self.labels.get(job_type, job_type), 80)

    def link(self, run: EndedRun) -> str | None:
        """The page of a run; a system run has none, since it is of no team."""
        return f"{self.base_url}/teams/{run.team_slug}/runs/{run.id}" if run.team_slug else None

    def settings(self, run: EndedRun) -> str | None:
        """The page where its reader says what to be mailed about."""
        return f"{self.base_url}/teams/{run.team_slug}/settings/mails" if run.team_slug else None


def letter(delivery: Delivery, desk: Desk) -> Mail:
    """The mail of a delivery. Sent again it is the same mail under the same id; that of a run is the run's."""
    if delivery.run is not None:
        return _of_run(delivery, delivery.run, desk)
    if delivery.webhook is not None:
        return _of_webhook(delivery, delivery.webhook, desk)
    raise LookupError("a mail about nothing")


def _of_run(delivery: Delivery, run: EndedRun, desk: Desk) -> Mail:
    headline = f"{desk.label(run.job_type)} {VERBS[delivery.event]}"
    facts = {
        "event": delivery.event,
        "headline": headline,
        "label": desk.label(run.job_type),
        "verb": VERBS[delivery.event],
        "rows": _rows(run),
        "percent": _percent(run),
        "error": words.lines(run.error, _ERROR) if run.error else None,
        "result": _result(run),
        "more": max(0, len(run.result or {}) - _SHOWN),
        "link": desk.link(run),
        "press": "Open the run",
        "why": _why(run),
        "settings": desk.settings(run),
    }
    subject = f"{headline} · {words.line(run.project, 60)}" if run.project else headline
    return _mail(delivery, subject, facts)


def _rows(run: EndedRun) -> dict[str, str]:
    rows = {
        "Team": words.line(run.team, 80) if run.team else None,
        "Project": words.line(run.project, 80) if run.project else None,
        "Took": words.duration(run.seconds) if run.seconds is not None else "It had not started",
        "Progress": words.progress(run.progress) if run.progress else None,
        "Message": words.line((run.progress or {}).get("message") or "", 160),
        "Ended": f"{run.completed_at:%Y-%m-%d %H:%M:%S} UTC",
        "Run": str(run.id),
    }
    return {name: text for name, text in rows.items() if text}


def _percent(run: EndedRun) -> int | None:
    total = int((run.progress or {}).get("total") or 0)
    return min(100, 100 * int((run.progress or {})["processed"]) // total) if total else None


def _result(run: EndedRun) -> dict[str, str]:
    return {words.line(name, 40): words.value(of) for name, of in list((run.result or {}).items())[:_SHOWN]}


def _why(run: EndedRun) -> str:
    if run.team is None:
        return "You get this because TAWNY_SYSTEM_ALERT_EMAIL of this server names your address."
    return "You get this because a mail was asked for when the run was triggered, by you or with a key of yours."


def _of_webhook(delivery: Delivery, webhook: Webhook, desk: Desk) -> Mail:
    name = words.line(webhook.name, 80)
    facts = {
        "event": "failed",
        "headline": f"The webhook {name} was disabled",
        "label": f"Webhook {name}",
        "verb": "was disabled",
        "rows": {"Team": words.line(delivery.team or "", 80), "Webhook": name, "Id": str(webhook.id)},
        "percent": None,
        "error": words.lines(webhook.disabled_because or "", _ERROR),
        "result": {},
        "more": 0,
        "link": f"{desk.base_url}/teams/{delivery.team_slug}/settings/webhooks/{webhook.id}",
        "press": "Open the webhook",
        "why": "You get this because you are an admin of this team. Nothing is posted to it until somebody enables it again.",
        "settings": None,
    }
    return _mail(delivery, f"{facts['headline']} · {words.line(delivery.team or '', 60)}", facts)


def _mail(delivery: Delivery, subject: str, facts: Mapping[str, Any]) -> Mail:
    return Mail(
        delivery.address or "",
        subject,
        _templates().get_template("news.txt").render(facts),
        f"mail to {delivery.address}: {subject}",
        html=_templates().get_template("news.html").render(facts),
        id=delivery.run.id if delivery.run else delivery.id,
        settings=facts["settings"],
    )


@cache
def _templates() -> Environment:
    """Loaded with the first letter: not every worker writes one."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=PackageLoader("tawny.notifications"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
