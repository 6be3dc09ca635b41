"""The statements behind `stats`, put together from constant pieces as those of a list are. A law prepares each combination and
looks at its plan.

Nothing in them is counted without a bound, and each branch reads one index in its order up to that bound. The branch of active
runs names `outcome` in its order: PostgreSQL does not see that what `is null` is constant too, and would sort.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final

from tawny.runs import OUTCOMES

_SINCE: Final = "date_trunc('hour', now()) - interval '23 hours'"

_ENDED: Final = (
    "(select r.outcome, r.created_at, r.started_at, r.completed_at, r.run_at, r.id from job_runs as r "
    "where r.team_id = $1{conditions} and r.outcome = '{outcome}' and r.created_at >= {since} "
    "order by r.created_at desc, r.id desc limit {limit})"
)
_ACTIVE: Final = (
    "select count(*) as active, count(*) filter (where status = 'pending') as pending, "
    "count(*) filter (where status = 'running') as running, "
    "extract(epoch from max(now() - run_at) filter (where status = 'pending' and run_at <= now()))::float8 as oldest_waiting "
    "from (select r.status, r.run_at from job_runs as r where r.team_id = $1{conditions} and r.outcome is null "
    "order by r.outcome, r.created_at, r.id limit $2) as r"
)
_RECENT: Final = (
    "select count(*) as recent, count(*) filter (where outcome = 'failed') as recent_failed, "
    "percentile_cont(array[0.5, 0.95]) within group (order by extract(epoch from completed_at - started_at)::float8) as ran, "
    "percentile_cont(array[0.5, 0.95]) within group (order by extract(epoch from started_at - run_at)::float8) as waited "
    "from (select * from ({completed} union all {failed}) as r order by created_at desc, id desc limit $3) as r"
)
_SUMMARY: Final = "select * from ({active}) as active, ({recent}) as recent, {counts}"
_COUNT: Final = "(select count(*) as {outcome} from {ended} as r) as {outcome}"
_OF_EACH_TYPE: Final = (
    "select t.job_type, s.* from unnest($4::text[]) with ordinality as t (job_type, place) "
    "cross join lateral ({summary}) as s order by t.place"
)
_HOURS: Final = (
    "select h.hour as at, e.* from generate_series({since}, now(), interval '1 hour') as h (hour) cross join lateral ("
    "select count(*) filter (where outcome = 'completed') as completed, count(*) filter (where outcome = 'failed') as failed, "
    "count(*) filter (where outcome = 'cancelled') as cancelled, count(*) >= $2 as capped "
    "from (select * from ({ended}) as r order by created_at desc, id desc limit $2) as r) as e order by at"
)


@cache
def summary_statement(by_project: bool, by_type: bool) -> str:
    """One row about a team's runs. Parameters: team, one more than the cap, how many recent runs, then the filters."""
    return _summary("".join(_filters(by_project, by_type, 4)))


@cache
def types_statement(by_project: bool) -> str:
    """The same in a row for each job type. Parameters: team, one more than the cap, how many recent runs, types, the project."""
    conditions = [*_filters(by_project, False, 5), " and r.job_type = t.job_type"]
    return _OF_EACH_TYPE.format(summary=_summary("".join(conditions)))


@cache
def hours_statement(by_project: bool, by_type: bool) -> str:
    """How the newest of each hour of a day ended. Parameters: team, how many of an hour, then the filters."""
    conditions = "".join(_filters(by_project, by_type, 3)) + " and r.created_at < h.hour + interval '1 hour'"
    ended = (_ended(conditions, outcome, "$2", since="h.hour") for outcome in OUTCOMES)
    return _HOURS.format(since=_SINCE, ended=" union all ".join(ended))


def _summary(conditions: str) -> str:
    return _SUMMARY.format(
        active=_ACTIVE.format(conditions=conditions),
        recent=_RECENT.format(completed=_ended(conditions, "completed", "$3"), failed=_ended(conditions, "failed", "$3")),
        counts=", ".join(_COUNT.format(outcome=o, ended=_ended(conditions, o, "$2")) for o in OUTCOMES),
    )


def _ended(conditions: str, outcome: str, limit: str, *, since: str = _SINCE) -> str:
    return _ENDED.format(conditions=conditions, outcome=outcome, since=since, limit=limit)


def _filters(by_project: bool, by_type: bool, place: int) -> Iterable[str]:
    if by_project:
        yield f" and r.project_id = ${place}"
    if by_type:
        yield f" and r.job_type = ${place + by_project}"


def all_stats_statements() -> dict[str, str]:
    """Every combination there is, by what it is for."""
    both = [(p, t) for p in (False, True) for t in (False, True)]
    summaries = {f"summary project={p} type={t}": summary_statement(p, t) for p, t in both}
    hours = {f"hours project={p} type={t}": hours_statement(p, t) for p, t in both}
    return {**summaries, **hours, **{f"types project={p}": types_statement(p) for p in (False, True)}}
