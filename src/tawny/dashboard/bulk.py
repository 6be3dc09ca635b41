"""Retry or cancel many runs: those that were ticked, or all that match the filters of the list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, cast, get_args
from uuid import UUID

from tawny import builtin, runs
from tawny.access import CANCEL_RUN, TRIGGER_RUN
from tawny.api.uuids import parse_uuid
from tawny.builtin import Action
from tawny.dashboard.page import TEAM, page
from tawny.dashboard.reply import Reply
from tawny.dashboard.runs import asked_for
from tawny.dashboard.visit import Question, Visit
from tawny.dashboard.words import number
from tawny.errors import Conflict, InvalidRequest, NotFound, TooManyRequests
from tawny.runs import Filter

TICKED_AT_MOST: Final = 200
_NEEDS: Final = {"retry": TRIGGER_RUN, "cancel": CANCEL_RUN}
_FILTERS: Final = ("status", "job_type", "project_id", "since", "until", "fingerprint")


@page("GET", f"{TEAM}/runs/bulk", needs=CANCEL_RUN)
async def ask(visit: Visit) -> Reply:
    """Ask before many runs are changed, and say how many they are."""
    action = _action(visit, visit.query.get("action", ""))
    ticked = _ids(visit.query_all("ids"))
    if ticked:
        return visit.ask(_question(visit, action, len(ticked), [("ids", str(run_id)) for run_id in ticked]))
    if "search" in visit.query:
        return visit.ask(_refusal(visit, "What was found by a search can only be ticked: no other filter finds it again."))
    try:
        async with visit.state.pool.acquire() as conn:
            counted = await builtin.ask(conn, visit.actor, visit.team.id, action, _where(visit.query), dry_run=True)
    except InvalidRequest as error:
        return visit.ask(_refusal(visit, error.message))
    if not counted.matched:
        return visit.ask(_refusal(visit, f"None of the runs that match can be {_done(action)}."))
    fields = [(name, visit.query[name]) for name in _FILTERS if name in visit.query]
    return visit.ask(_question(visit, action, counted.matched, fields))


@page("POST", f"{TEAM}/runs/bulk", needs=CANCEL_RUN)
async def act(visit: Visit) -> Reply:
    """Do it: ticked runs at once, all that match by a run of its own, which is gone to."""
    action = _action(visit, visit.form.text("action"))
    ticked = _ids(visit.form.all("ids"))
    if ticked:
        return await _act_on(visit, action, ticked)
    where = _where({name: visit.form.text(name) for name in _FILTERS})
    async with visit.state.pool.acquire() as conn:
        asked = await builtin.ask(conn, visit.actor, visit.team.id, action, where)
    visit.state.waker.wake()
    return visit.go(visit.path(f"runs/{asked.run.id}" if asked.run else "runs"))


PAGES: Final = (ask, act)


async def _act_on(visit: Visit, action: Action, run_ids: Sequence[UUID]) -> Reply:
    fates: Counter[str] = Counter()
    for run_id in run_ids:
        try:
            await _act_on_one(visit, action, run_id)
        except (InvalidRequest, Conflict, NotFound, TooManyRequests) as error:
            fates[error.message] += 1
    visit.state.waker.wake()
    if not fates:
        return visit.go(visit.path("runs"))
    done = len(run_ids) - fates.total()
    return visit.show("bulk_done.html", status=409, action=_done(action), done=done, fates=fates, wanted=len(run_ids))


async def _act_on_one(visit: Visit, action: Action, run_id: UUID) -> None:
    async with visit.state.pool.acquire() as conn:
        if action == "retry":
            visit.state.pace.spend(visit.actor)
            await runs.retry(conn, visit.actor, run_id, visit.state.jobs)
            return
        worker_id = await runs.cancel(conn, visit.actor, run_id, include_pending=True)
    if worker_id is not None:
        visit.state.waker.wake(str(worker_id))


def _action(visit: Visit, text: str) -> Action:
    """The action, which the visitor must be allowed."""
    if text not in get_args(Action):
        raise InvalidRequest("The action should be retry or cancel.", code="invalid_field", field="action")
    visit.actor.require(visit.team.id, _NEEDS[text])
    return cast("Action", text)


def _ids(texts: Sequence[str]) -> list[UUID]:
    found = [parse_uuid(text) for text in texts]
    if None in found or len(found) > TICKED_AT_MOST:
        raise InvalidRequest(f"Up to {TICKED_AT_MOST} ids of runs can be given.", code="invalid_field", field="ids")
    return [run_id for run_id in found if run_id is not None]


def _where(given: Any) -> Filter:
    return asked_for({name: given.get(name, "") for name in _FILTERS}).where


def _done(action: Action) -> str:
    return "retried" if action == "retry" else "cancelled"


def _question(visit: Visit, action: Action, count: int, fields: Sequence[tuple[str, str]]) -> Question:
    runs_ = "1 run" if count == 1 else f"{number(count)} runs"
    sentences = {
        "retry": "Each is made anew with the same params. The old ones stay as they are.",
        "cancel": "Pending ones end at once, running ones as soon as their handler looks. Those that have ended stay so.",
    }
    return Question(
        title=f"{action.capitalize()} {runs_}?",
        sentence=sentences[action],
        action=visit.path("runs/bulk"),
        back=visit.path("runs"),
        button=f"{action.capitalize()} {runs_}",
        danger=action == "cancel",
        fields=[("action", action), *fields],
    )


def _refusal(visit: Visit, sentence: str) -> Question:
    return Question(title="That cannot be done", sentence=sentence, action="", back=visit.path("runs"), button=None)
