"""The statement behind `error_groups`, put together from constant pieces as those of a list are. A law prepares each combination
and looks at its plan: it reads the newest failed runs up to a bound, in the order of an index, and groups those."""

from __future__ import annotations

from functools import cache
from typing import Final

_GROUPS: Final = (
    "with newest as materialized ("
    "select r.id, r.job_type, r.fingerprint, r.completed_at from job_runs as r "
    "where r.team_id = $1 and r.outcome = 'failed' and r.created_at >= $2{conditions} "
    "order by r.created_at desc, r.id desc limit $3"
    "), grouped as ("
    "select n.fingerprint, min(n.job_type) as job_type, count(*) as runs, min(n.completed_at) as first_seen_at, "
    "max(n.completed_at) as last_seen_at, (array_agg(n.id order by n.completed_at desc, n.id desc))[1] as newest_run_id "
    "from newest as n group by n.fingerprint"
    "), shown as (select * from grouped order by runs desc, last_seen_at desc, fingerprint limit $4) "
    "select s.*, e.error, (select count(*) from newest) as looked_at, (select count(*) from grouped) as found "
    "from shown as s join job_runs as e on e.id = s.newest_run_id and e.team_id = $1 "
    "order by s.runs desc, s.last_seen_at desc, s.fingerprint"
)


@cache
def error_groups_statement(by_project: bool, by_type: bool) -> str:
    """Groups of failed runs. Parameters: team, since, how many runs, how many groups, then the filters."""
    project = " and r.project_id = $5" if by_project else ""
    job_type = f" and r.job_type = ${5 + by_project}" if by_type else ""
    return _GROUPS.format(conditions=project + job_type)


def all_error_groups_statements() -> dict[str, str]:
    """Every combination there is, by what it is for."""
    return {f"project={p} type={t}": error_groups_statement(p, t) for p in (False, True) for t in (False, True)}
