-- name: store_runs(rows, team_ids, project_ids, job_types)!
-- Runs that have ended, one each 30 seconds up to now. Four of five are the first team's; `team_ids` and `project_ids` have 32
-- places, of which its 16 projects are the first. Every choice is made by a hash of the row's number: the same in every run.
insert into job_runs (
    id, team_id, project_id, job_type, status, triggered_by, params, progress, result, error, error_code,
    created_at, run_at, started_at, completed_at, attempt, failures, last_seq
)
select
    (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' || substr(hash, 1, 3) || '8' || substr(hash, 4, 15))::uuid,
    (:team_ids::uuid[])[place],
    (:project_ids::uuid[])[place],
    (:job_types::text[])[1 + get_byte(bytes, 1) % cardinality(:job_types::text[])],
    status,
    'manual:user:' || (:team_ids::uuid[])[place],
    jsonb_build_object('project_id', (:project_ids::uuid[])[place], 'month', to_char(at, 'YYYY-MM'), 'dry_run', false),
    jsonb_build_object('processed', 250, 'total', 250, 'message', 'Exported 250 of 250'),
    case status when 'completed' then jsonb_build_object('exported', 250, 'file', 'export-' || i || '.csv') end,
    case status when 'failed' then 'ConnectionError: the warehouse closed the connection after 250 rows' end,
    case status when 'failed' then 'handler_failed' end,
    at, at, at + interval '4 milliseconds', at + interval '2 seconds', 1, case status when 'failed' then 1 else 0 end, 3
from (
    select
        i, hash, bytes,
        date_trunc('milliseconds', now()) - (:rows::integer - i) * interval '30 seconds' as at,
        1 + get_byte(bytes, 0) % 16 + case when i % 5 = 0 then 16 else 0 end as place,
        case when get_byte(bytes, 2) < 230 then 'completed' when get_byte(bytes, 2) < 246 then 'failed' else 'cancelled' end as status
    from generate_series(1, :rows::integer) as i
    cross join lateral (select md5(i::text) as hash, decode(md5(i::text), 'hex') as bytes) as chance
) as run
order by i;

-- name: store_events()!
-- The three facts of each stored run.
insert into run_events (run_id, seq, team_id, kind, attempt, created_at)
select r.id, fact.seq, r.team_id, fact.kind, fact.attempt, fact.at
from job_runs as r
cross join lateral (
    values (1, 'triggered', 0, r.created_at), (2, 'started', 1, r.started_at), (3, r.status, 1, r.completed_at)
) as fact (seq, kind, attempt, at)
order by r.created_at, fact.seq;

-- name: settle()!
-- scope: system (all tables, as after a long quiet time)
vacuum (analyze) job_runs, run_events, audit_log, projects;

-- name: tidy()!
-- scope: system (all tables)
vacuum job_runs, run_events, audit_log, workers;

-- name: checkpoint()!
-- scope: system (the whole server, so that none begins while something is measured)
checkpoint;

-- name: some_runs(team_id, runs)
select id from job_runs where team_id = :team_id order by md5(id::text) limit :runs;

-- name: cursors(team_id, depth, pages)
-- The cursors of pages that begin behind `depth` rows and a few more.
select ms(created_at) || '|' || id as cursor
from job_runs where team_id = :team_id order by created_at desc, id desc offset :depth - 1 limit :pages;

-- name: enqueue(runs, team_id, project_id, job_type)!
-- Pending runs with their events, each with a slot of its own.
with made as (
    insert into job_runs (id, team_id, project_id, job_type, triggered_by, params, unique_key)
    select
        (
            lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex(i % 4096), 3, '0')
            || '8' || substr(md5(random()::text), 1, 15)
        )::uuid,
        :team_id::uuid, :project_id::uuid, :job_type::text, 'manual:user:' || :team_id::uuid,
        jsonb_build_object('project_id', :project_id::uuid), i::text
    from generate_series(1, :runs::integer) as i
    returning id, team_id
)
insert into run_events (run_id, seq, team_id, kind, attempt)
select id, 1, team_id, 'triggered', 0 from made;

-- name: is_enlisted(pid)$
-- scope: system (workers serve every team)
select exists (select from workers where name like '%:' || :pid::integer and leased_until > clock_timestamp());

-- name: is_any_active(job_type)$
-- scope: system (a drain of everything there is)
select exists (select from job_runs where job_type = :job_type and outcome is null);

-- name: drained(job_type)^
-- scope: system (a drain of everything there is)
select count(*) as runs, extract(epoch from max(completed_at) - min(started_at))::float8 as seconds
from job_runs where job_type = :job_type and outcome = 'completed';

-- name: enlist_floor(id, pid)!
-- scope: system (workers serve every team)
-- A lease that needs no renewing.
insert into workers (id, name, version, leased_until)
values (:id, 'floor:' || :pid::integer, 'floor', clock_timestamp() + interval '1 hour');

-- name: clear(job_types)!
-- scope: system (everything but the stored runs)
with gone as (
    delete from job_runs where job_type <> all (:job_types::text[]) returning id
)
delete from run_events where run_id in (select id from gone);

-- name: strike_floor()!
-- scope: system (workers serve every team)
delete from workers where version = 'floor';

-- name: store_old_runs(rows, team_id, project_id)!
-- Runs that ended 100 days ago, one each 50 milliseconds.
insert into job_runs (
    id, team_id, project_id, job_type, status, triggered_by, params, progress, result, created_at, run_at, started_at, completed_at,
    attempt, last_seq
)
select
    (substr(first_id_at(at)::text, 1, 13) || '-7' || right(gen_random_uuid()::text, 21))::uuid, :team_id::uuid, :project_id::uuid,
    'export', 'completed', 'schedule', '{"month": "2026-01"}', '{"processed": 250, "total": 250}', '{"exported": 250}',
    at, at, at, at + interval '2 seconds', 1, 3
from generate_series(1, :rows::integer) as i,
    lateral (select now() - interval '100 days' - i * interval '50 milliseconds' as at) as made
order by at;

-- name: store_old_events()!
-- scope: system (what was stored just before)
insert into run_events (run_id, seq, team_id, kind, attempt, created_at)
select r.id, fact.seq, r.team_id, fact.kind, fact.attempt, r.completed_at
from job_runs as r
cross join (values (1, 'triggered', 0), (2, 'started', 1), (3, 'completed', 1)) as fact (seq, kind, attempt)
where r.id < first_id_at(now() - interval '99 days')
order by r.id, fact.seq;

-- name: count_old_runs()$
-- scope: system (what was stored to be deleted)
select count(*) from job_runs where id < first_id_at(now() - interval '99 days');

-- name: size_of_runs()$
-- scope: system (all tables)
-- Of both tables with their indexes, in MB.
select (pg_total_relation_size('job_runs') + pg_total_relation_size('run_events'))::float8 / 1e6;
