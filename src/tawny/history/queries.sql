-- name: timeline(run_id, team_ids, most_retries, most_events)^
-- A run with its newest events, oldest first, as one JSON array. In one statement, so that the two cannot contradict each other.
select
    r.id as run_id, r.status, r.retry_of, case r.status when 'pending' then r.run_at end as due_at,
    array(
        select later.id from job_runs as later
        where later.retry_of = r.id and later.team_id = r.team_id
        order by later.id limit :most_retries
    ) as retried_by,
    (
        select json_agg(
            json_build_object('seq', e.seq, 'kind', e.kind, 'attempt', e.attempt, 'at', ms(e.created_at), 'data', e.data)
            order by e.seq
        )
        from (
            select seq, kind, attempt, created_at, data from run_events where run_id = r.id order by seq desc limit :most_events
        ) as e
    ) as events
from job_runs as r
where r.id = :run_id and r.team_id = any(:team_ids::uuid[]);
