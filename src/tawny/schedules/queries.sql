-- Who locks what: schedules by SKIP LOCKED, or one alone; then as `runs/queries.sql` says. Whoever deletes a project has locked it
-- before its schedules, so a tick, which has locked schedules, steps over a project that is locked.

-- name: seconds_to_next(job_types)$
-- scope: system (workers tick for every team)
-- Until somebody has to look at a schedule of these job types; nothing when there is none.
select extract(epoch from min(next.look_at) - clock_timestamp())::float8
from unnest(:job_types::text[]) as t (job_type)
cross join lateral (
    select s.look_at from schedules as s
    where s.job_type = t.job_type and s.look_at is not null
    order by s.look_at, s.id
    limit 1
) as next;

-- name: take_due(job_types, at_most)
-- scope: system (workers tick for every team)
select next.*
from unnest(:job_types::text[]) as t (job_type)
cross join lateral (
    select s.id, s.team_id, s.project_id, s.job_type, s.cron, s.timezone, s.catch_up, s.params::text, s.enabled, s.next_at,
        statement_timestamp() as now
    from schedules as s
    where s.job_type = t.job_type and s.look_at <= statement_timestamp()
    order by s.look_at, s.id
    limit :at_most
    for update skip locked
) as next
limit :at_most;

-- name: hold_projects(project_ids)
-- scope: system (workers tick for every team)
-- Not one that somebody is about to delete.
select id from projects where id = any(:project_ids::uuid[]) and deleted_at is null
order by id
for key share skip locked;

-- name: wait_shortly()$
-- scope: system (a setting of this transaction)
select set_config('lock_timeout', '200ms', true);

-- name: insert_ticks(schedule_ids, due_ats, team_ids, decisions, reasons, run_ids, untils, times)!
-- scope: system (workers tick for every team)
insert into schedule_ticks (schedule_id, due_at, team_id, decision, reason, run_id, until, times)
select * from unnest(
    :schedule_ids::uuid[], :due_ats::timestamptz[], :team_ids::uuid[], :decisions::text[], :reasons::text[], :run_ids::uuid[],
    :untils::timestamptz[], :times::integer[]
);

-- name: advance(ids, next_ats, waits)!
-- scope: system (workers tick for every team)
-- `waits`: seconds until it is looked at again although its due time has come.
update schedules as s
set next_at = a.next_at,
    look_at = case when a.wait > 0 then statement_timestamp() + make_interval(secs => a.wait) else a.next_at end
from unnest(:ids::uuid[], :next_ats::timestamptz[], :waits::float8[]) as a (id, next_at, wait)
where s.id = a.id;

-- name: declare(ids, job_types, crons, timezones, catch_ups, next_ats)!
-- scope: system (schedules of system jobs)
-- What has not changed keeps the due times that nobody has decided yet.
insert into schedules as s (id, job_type, cron, timezone, catch_up, next_at, look_at)
select d.id, d.job_type, d.cron, d.timezone, d.catch_up, d.next_at, d.next_at
from unnest(
    :ids::uuid[], :job_types::text[], :crons::text[], :timezones::text[], :catch_ups::text[], :next_ats::timestamptz[]
) as d (id, job_type, cron, timezone, catch_up, next_at)
order by d.job_type
on conflict (job_type) where team_id is null do update
set cron = excluded.cron, timezone = excluded.timezone, catch_up = excluded.catch_up,
    next_at = coalesce(case when (s.cron, s.timezone) = (excluded.cron, excluded.timezone) then s.next_at end, excluded.next_at),
    look_at = coalesce(case when (s.cron, s.timezone) = (excluded.cron, excluded.timezone) then s.look_at end, excluded.look_at),
    updated_at = date_trunc('milliseconds', clock_timestamp())
where (s.cron, s.timezone, s.catch_up) <> (excluded.cron, excluded.timezone, excluded.catch_up) or s.next_at is null;

-- name: withdraw(job_types)!
-- scope: system (schedules of system jobs)
-- Those whose job type is not declared with a schedule any more. What they did is kept, and they come back under their id.
update schedules set next_at = null, look_at = null, updated_at = date_trunc('milliseconds', clock_timestamp())
where team_id is null and next_at is not null and job_type <> all(:job_types::text[]);

-- name: to_come(after, at_most)
-- scope: system (the rules of time zones change for all teams)
select id, cron, timezone, next_at, statement_timestamp() as now
from schedules
where id > :after and look_at > statement_timestamp()
order by id
limit :at_most;

-- name: move(ids, olds, news)!
-- scope: system (the rules of time zones change for all teams)
update schedules as s set next_at = m.new, look_at = m.new
from unnest(:ids::uuid[], :olds::timestamptz[], :news::timestamptz[]) as m (id, old, new)
where s.id = m.id and s.next_at = m.old;

-- name: insert_schedule(id, team_id, project_id, job_type, cron, timezone, catch_up, params, enabled, made_by, next_at, at_most)$
-- The project is held until the commit, so that who deletes it finds this one too. No row: the project has as many as it may.
with held as (
    select id, team_id from projects where id = :project_id and team_id = :team_id and deleted_at is null for key share
)
insert into schedules (
    id, team_id, project_id, job_type, cron, timezone, catch_up, params, enabled, made_by, next_at, look_at
)
select
    :id::uuid, held.team_id, held.id, :job_type::text, :cron::text, :timezone::text, :catch_up::text, :params::text::jsonb,
    :enabled::boolean, :made_by::text, :next_at::timestamptz, :next_at::timestamptz
from held
where (select count(*) from schedules where project_id = :project_id and deleted_at is null) < :at_most::integer
returning id;

-- name: list_schedules(team_id, project_id)
select s.id, s.team_id, s.project_id, s.job_type, s.cron, s.timezone, s.catch_up, s.params::text, s.enabled, s.created_at,
    s.updated_at, statement_timestamp() as now,
    last.due_at as last_due_at, last.decision as last_decision, last.reason as last_reason, last.run_id as last_run_id,
    last.until as last_until, last.times as last_times, last.decided_at as last_decided_at
from schedules as s
left join lateral (
    select * from schedule_ticks as t where t.schedule_id = s.id order by t.due_at desc limit 1
) as last on true
where s.team_id = :team_id and s.project_id = :project_id and s.deleted_at is null
order by s.created_at, s.id;

-- name: find_schedule(id, project_id, team_id)^
select s.id, s.team_id, s.project_id, s.job_type, s.cron, s.timezone, s.catch_up, s.params::text, s.enabled, s.created_at,
    s.updated_at, statement_timestamp() as now,
    last.due_at as last_due_at, last.decision as last_decision, last.reason as last_reason, last.run_id as last_run_id,
    last.until as last_until, last.times as last_times, last.decided_at as last_decided_at
from schedules as s
left join lateral (
    select * from schedule_ticks as t where t.schedule_id = s.id order by t.due_at desc limit 1
) as last on true
where s.id = :id and s.team_id = :team_id and s.project_id = :project_id and s.deleted_at is null;

-- name: newest_ticks(schedule_id, team_id, at_most)
select due_at, decision, reason, run_id, until, times, decided_at from schedule_ticks
where schedule_id = :schedule_id and team_id = :team_id
order by due_at desc
limit :at_most;

-- name: schedule_of_run(run_id, team_id)^
select s.project_id, s.id
from schedule_ticks as t
join schedules as s on s.id = t.schedule_id
where t.run_id = :run_id and t.decision = 'started' and t.team_id = :team_id and s.deleted_at is null;

-- name: lock_schedule(id, project_id, team_id)^
select id, team_id, job_type, cron, timezone, catch_up, params::text, enabled, next_at, statement_timestamp() as now
from schedules
where id = :id and project_id = :project_id and team_id = :team_id and deleted_at is null
for update;

-- name: update_schedule(id, team_id, cron, timezone, catch_up, params, enabled, next_at)!
update schedules
set cron = :cron, timezone = :timezone, catch_up = :catch_up, params = :params::text::jsonb, enabled = :enabled,
    next_at = :next_at, look_at = :next_at, updated_at = date_trunc('milliseconds', clock_timestamp())
where id = :id and team_id = :team_id;

-- name: delete_schedule(id, team_id)!
update schedules
set deleted_at = date_trunc('milliseconds', clock_timestamp()), next_at = null, look_at = null
where id = :id and team_id = :team_id;
