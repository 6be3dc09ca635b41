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

-- name: logs(run_id, team_ids, after, level, search, most)
-- A run's lines behind a number, as JSON texts, each in a row with what the run dropped; one row without a line when there is none.
-- Joined by hand, as `run_json` is. What is searched for may be empty.
select r.logs_dropped as dropped, l.seq, l.line
from job_runs as r
left join lateral (
    select
        seq,
        '{"seq":' || seq || ',"attempt":' || attempt || ',"level":"'
        || case level when 10 then 'debug' when 20 then 'info' when 30 then 'warning' else 'error' end
        || '","message":' || to_json(message)::text || ',"fields":' || coalesce(fields::text, 'null')
        || ',"logged_at":"' || ms(logged_at) || '"}' as line
    from run_logs
    where run_id = r.id and seq > :after and level >= :level and position(lower(:search::text) in lower(message)) > 0
    order by seq limit :most
) as l on true
where r.id = :run_id and r.team_id = any(:team_ids::uuid[])
order by l.seq;

-- name: last_logs(run_id, team_ids, before, level, search, most)
-- The same, of the lines before a number the last ones.
select r.logs_dropped as dropped, l.seq, l.line
from job_runs as r
left join lateral (
    select
        seq,
        '{"seq":' || seq || ',"attempt":' || attempt || ',"level":"'
        || case level when 10 then 'debug' when 20 then 'info' when 30 then 'warning' else 'error' end
        || '","message":' || to_json(message)::text || ',"fields":' || coalesce(fields::text, 'null')
        || ',"logged_at":"' || ms(logged_at) || '"}' as line
    from run_logs
    where run_id = r.id and seq < :before and level >= :level and position(lower(:search::text) in lower(message)) > 0
    order by seq desc limit :most
) as l on true
where r.id = :run_id and r.team_id = any(:team_ids::uuid[])
order by l.seq;

-- name: duration_bounds()$
-- scope: system (the same for every team)
select duration_bounds();

-- name: totals()
-- scope: system (the operator's numbers, which name no team)
select job_type, outcome, sum(runs)::bigint as runs, sum(seconds) as seconds, added_up(buckets) as buckets
from run_totals
group by job_type, outcome
order by job_type, outcome;

-- name: queues(job_types, most)
-- scope: system (the operator's numbers, which name no team)
-- Looks at so many active runs of each type at most. Those that run have been due longest, so they come first.
select t.job_type, q.waiting, q.running, q.oldest_seconds
from unnest(:job_types::text[]) as t (job_type)
cross join lateral (
    select
        count(*) filter (where status = 'pending') as waiting,
        count(*) filter (where status = 'running') as running,
        coalesce(extract(epoch from now() - min(run_at) filter (where status = 'pending')), 0)::float8 as oldest_seconds
    from (
        select r.status, r.run_at
        from job_runs as r
        where r.job_type = t.job_type and r.outcome is null and r.run_at <= now()
        order by r.run_at, r.id
        limit :most
    ) as r
) as q;

-- name: living_workers()^
-- scope: system (workers serve every team)
select count(*) as workers, coalesce(max(pulse_seconds), 0) as slowest, coalesce(avg(pulse_seconds), 0) as average
from workers
where leased_until > clock_timestamp();

-- name: workers(team_id, job_types, most, shown, at_once)
-- Every worker that is on the list, with those of the team's runs that are in its hands, the oldest first. They are looked for
-- among so many active runs of each job type: the oldest, so that those that wait behind them are not read. A third of a lease
-- without a sign is several beats.
with mine as materialized (
    select r.*, row_number() over (partition by r.worker_id order by r.started_at, r.id) as place
    from unnest(:job_types::text[]) as t (job_type)
    cross join lateral (
        select a.id, a.job_type, a.project_id, a.worker_id, a.status, a.started_at
        from job_runs as a
        where a.team_id = :team_id and a.job_type = t.job_type and a.outcome is null
        order by a.outcome, a.created_at, a.id
        limit :most
    ) as r
    where r.status = 'running'
)
select
    w.id, w.name, w.version, w.started_at, w.seen_at, w.memory_bytes, greatest(w.running, its.count) as running, its.count as yours,
    case
        when w.leased_until <= clock_timestamp() then 'lost'
        when w.seen_at + (w.leased_until - w.seen_at) / 3 < clock_timestamp() then 'silent'
        when w.draining then 'draining'
        else 'alive'
    end as state,
    its.runs
from (select * from workers order by started_at, id limit :at_once) as w
cross join lateral (
    select
        count(*) as count,
        json_agg(
            json_build_object('id', m.id, 'job_type', m.job_type, 'project_id', m.project_id, 'started_at', ms(m.started_at))
            order by m.place
        ) filter (where m.place <= :shown) as runs
    from mine as m
    where m.worker_id = w.id
) as its
order by w.started_at, w.id;
