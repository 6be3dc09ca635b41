-- Who locks what, in this order, so that no two can wait for each other; a test holds each statement that locks several rows to it:
--   projects, by id · workers, by id · job_places, by type and place · slots (the unique index of active runs), by project, type and key ·
--   idempotency_keys · job_runs, by id · run_totals, by type and outcome.
-- SKIP LOCKED waits for nobody and needs no order. An update locks rows in whatever order its plan comes by them, which on a small
-- table is that of the table; so one of several runs locks them first, with `order by id for update`. A transaction of several
-- statements takes all its runs before the first that may count in run_totals: see `hold`.

-- name: trigger(id, team_id, project_id, job_type, triggered_by, params, notify, unique_key, timeout_seconds, retry_of, idempotency_key, request_hash, actor_type, actor_id)^
-- Makes a pending run of a living project of the team, unless one is active. No row: see why_not_triggered. The project is held
-- until the commit, so that who deletes it waits, and finds this run to cancel.
-- With an idempotency key, the answer is kept under it; one that has an answer already fails all of it.
-- The connection may be an author's own: params go in as text, since it may have a codec of its own for jsonb.
with made as (
    insert into job_runs as r (
        id, team_id, project_id, job_type, triggered_by, params, notify, unique_key, timeout_seconds, retry_of
    )
    select
        :id::uuid, p.team_id, p.id, :job_type::text, :triggered_by::text, :params::text::jsonb, :notify::boolean,
        :unique_key::text, :timeout_seconds::float8, :retry_of::uuid
    from projects as p
    where p.id = :project_id and p.team_id = :team_id and p.deleted_at is null
    for key share of p
    on conflict (team_id, job_type, project_id, unique_key) where outcome is null do nothing
    returning r.id, r.team_id, run_json(r) as run
),
audited as (
    insert into audit_log (team_id, actor_type, actor_id, action, resource_type, resource_id, metadata)
    select team_id, :actor_type::text, :actor_id::uuid, 'create', 'job_run', id, jsonb_build_object('job_type', :job_type::text)
    from made
),
fact as (
    insert into run_events (run_id, seq, team_id, kind, attempt, data)
    select
        id, 1, team_id, 'triggered', 0,
        case when :retry_of::uuid is not null then jsonb_build_object('retry_of', :retry_of::uuid) end
    from made
),
answer as (
    insert into idempotency_keys (team_id, key, request_hash, run_id, answer)
    select team_id, :idempotency_key::text, :request_hash::bytea, id, run from made where :idempotency_key::text is not null
)
select id, run from made;

-- name: why_not_triggered(team_id, project_id, job_type, unique_key)^
-- The project, when it is there, and the run that holds its slot, when that has not just ended.
select r.id, r.status, r.attempt, ms(r.run_at) as run_at, r.run_at > now() as waits
from projects as p
left join job_runs as r
    on r.team_id = p.team_id and r.project_id = p.id and r.job_type = :job_type
    and r.outcome is null and r.unique_key is not distinct from :unique_key::text
where p.id = :project_id and p.team_id = :team_id and p.deleted_at is null;

-- name: runs_to_retry(run_ids, team_ids)
select id, team_id, project_id, job_type, status, params::text as params, notify
from job_runs where id = any(:run_ids::uuid[]) and team_id = any(:team_ids::uuid[])
order by created_at desc, id desc;

-- name: trigger_many(team_id, triggered_by, ids, project_ids, job_types, params, notifies, unique_keys, timeouts, retries_of)
-- Makes pending runs as `trigger` does, the first ones first where several ask for the same slot. Every one is returned: `made`,
-- or, when its project is living, one is active.
with asked as (
    select * from unnest(
        :ids::uuid[], :project_ids::uuid[], :job_types::text[], :params::text[], :notifies::boolean[], :unique_keys::text[],
        :timeouts::float8[], :retries_of::uuid[]
    ) with ordinality as a (id, project_id, job_type, params, notify, unique_key, timeout_seconds, retry_of, place)
),
living as (
    select p.id from projects as p
    where p.team_id = :team_id and p.deleted_at is null and p.id in (select asked.project_id from asked)
    order by p.id
    for key share
),
made as (
    insert into job_runs as r (
        id, team_id, project_id, job_type, triggered_by, params, notify, unique_key, timeout_seconds, retry_of
    )
    select
        a.id, :team_id::uuid, a.project_id, a.job_type, :triggered_by::text, a.params::jsonb, a.notify, a.unique_key,
        a.timeout_seconds, a.retry_of
    from asked as a
    join living on living.id = a.project_id
    order by a.project_id, a.job_type, a.unique_key, a.place
    on conflict (team_id, job_type, project_id, unique_key) where outcome is null do nothing
    returning r.id, r.team_id, r.retry_of
),
facts as (
    insert into run_events (run_id, seq, team_id, kind, attempt, data)
    select id, 1, team_id, 'triggered', 0, jsonb_strip_nulls(jsonb_build_object('retry_of', retry_of)) from made
)
select a.id, made.id is not null as made, living.id is not null as living
from asked as a
left join living on living.id = a.project_id
left join made on made.id = a.id;

-- name: trigger_scheduled(ids, team_ids, project_ids, job_types, params, unique_keys, timeouts, schedule_ids, due_ats)
-- scope: system (schedules of all teams are due at once)
-- Makes pending runs as `trigger_many` does, of several teams and of none. Who calls it holds the projects. Returned are those
-- that were made, and of the others, where it is a project's, the run that is in the way when it has not just ended.
with asked as (
    select * from unnest(
        :ids::uuid[], :team_ids::uuid[], :project_ids::uuid[], :job_types::text[], :params::text[], :unique_keys::text[],
        :timeouts::float8[], :schedule_ids::uuid[], :due_ats::timestamptz[]
    ) with ordinality as a (id, team_id, project_id, job_type, params, unique_key, timeout_seconds, schedule_id, due_at, place)
),
made as (
    insert into job_runs as r (id, team_id, project_id, job_type, triggered_by, params, unique_key, timeout_seconds)
    select a.id, a.team_id, a.project_id, a.job_type, 'schedule', a.params::jsonb, a.unique_key, a.timeout_seconds
    from asked as a
    order by a.project_id, a.job_type, a.unique_key, a.place
    on conflict (team_id, job_type, project_id, unique_key) where outcome is null do nothing
    returning r.id, r.team_id
),
facts as (
    insert into run_events (run_id, seq, team_id, kind, attempt, data)
    select made.id, 1, made.team_id, 'triggered', 0,
        jsonb_build_object('schedule_id', a.schedule_id, 'due_at', ms(a.due_at))
    from made join asked as a on a.id = made.id
)
select a.id, made.id is not null as made, active.id as active_id
from asked as a
left join made on made.id = a.id
left join job_runs as active
    on made.id is null and active.team_id = a.team_id and active.project_id = a.project_id and active.job_type = a.job_type
    and active.outcome is null and active.unique_key is not distinct from a.unique_key;

-- name: trigger_builtin(id, team_id, job_type, triggered_by, params, unique_key, actor_type, actor_id)$
-- Makes a pending run of one of the server's own job types for a team, unless one is active.
with made as (
    insert into job_runs as r (id, team_id, job_type, triggered_by, params, unique_key)
    values (:id, :team_id, :job_type, :triggered_by, :params::text::jsonb, :unique_key)
    on conflict (team_id, job_type, project_id, unique_key) where outcome is null do nothing
    returning r.id, r.team_id, run_json(r) as run
),
audited as (
    insert into audit_log (team_id, actor_type, actor_id, action, resource_type, resource_id, metadata)
    select team_id, :actor_type::text, :actor_id::uuid, 'create', 'job_run', id,
        jsonb_build_object('job_type', :job_type::text, 'params', :params::text::jsonb)
    from made
),
fact as (
    insert into run_events (run_id, seq, team_id, kind, attempt)
    select id, 1, team_id, 'triggered', 0 from made
)
select run from made;

-- name: active_builtin_run(team_id, job_type, unique_key)$
select id from job_runs
where team_id = :team_id and project_id is null and job_type = :job_type and unique_key = :unique_key and outcome is null;

-- name: this_moment()$
-- scope: system (the clock of all teams)
select date_trunc('milliseconds', statement_timestamp());

-- name: first_answer(team_id, key)^
-- What the first request with this key was answered. One of more than a day ago is deleted here, so that the key is free.
with forgotten as (
    delete from idempotency_keys
    where team_id = :team_id and key = :key and created_at <= statement_timestamp() - interval '24 hours'
)
select request_hash, run_id, answer
from idempotency_keys
where team_id = :team_id and key = :key and created_at > statement_timestamp() - interval '24 hours';

-- name: forget_answers(at_most)$
-- scope: system (answers of all teams grow old)
with old as materialized (
    select team_id, key
    from idempotency_keys
    where created_at <= statement_timestamp() - interval '24 hours'
    order by created_at
    limit :at_most
    for update skip locked
),
forgotten as (
    delete from idempotency_keys as k using old where k.team_id = old.team_id and k.key = old.key returning k.key
)
select count(*) from forgotten;

-- name: trigger_system(id, job_type, triggered_by, params, timeout_seconds)^
-- scope: system (a system run belongs to no team)
with made as (
    insert into job_runs (id, job_type, triggered_by, params, timeout_seconds)
    values (:id, :job_type, :triggered_by, :params::jsonb, :timeout_seconds)
    on conflict (team_id, job_type, project_id, unique_key) where outcome is null do nothing
    returning id
),
audited as (
    insert into audit_log (actor_type, action, resource_type, resource_id, metadata)
    select 'system', 'create', 'job_run', id, jsonb_build_object('job_type', :job_type::text) from made
),
fact as (
    insert into run_events (run_id, seq, kind, attempt)
    select id, 1, 'triggered', 0 from made
)
select id from made;

-- name: active_system_run(job_type)$
-- scope: system (a system run belongs to no team)
select id from job_runs where team_id is null and project_id is null and job_type = :job_type and outcome is null;

-- name: system_runs(until, last_id, at_most)
-- scope: system (system runs belong to no team; only the operator sees them)
select run_json(r) as run, ms(r.created_at) || '|' || r.id as cursor
from job_runs as r
where r.team_id is null and (r.created_at, r.id) < (:until, :last_id)
order by r.created_at desc, r.id desc
limit :at_most;

-- name: system_runs_of_type(job_type, until, last_id, at_most)
-- scope: system (system runs belong to no team; only the operator sees them)
select run_json(r) as run, ms(r.created_at) || '|' || r.id as cursor
from job_runs as r
where r.team_id is null and r.job_type = :job_type and (r.created_at, r.id) < (:until, :last_id)
order by r.created_at desc, r.id desc
limit :at_most;

-- name: find(run_id, team_ids)$
select run_json(r) from job_runs as r where r.id = :run_id and r.team_id = any(:team_ids::uuid[]);

-- name: cancel(run_ids, team_ids, statuses, requested_by, actor_type, actor_id)
-- Leaves the wish on running runs, once, and ends pending runs at once, for which no worker has to be asked. Not returned: what
-- is in another status, was asked before, or is not there. No worker: it was pending. Without an `actor_type` it is a part of
-- something that leaves its own row in the audit log.
with wanted as (
    select r.id, r.status
    from job_runs as r
    where r.id = any(:run_ids::uuid[]) and r.team_id = any(:team_ids::uuid[]) and r.status = any(:statuses::text[])
        and r.outcome is null and r.cancel_requested_at is null
    order by r.id
    for update
),
asked as (
    update job_runs as r
    set status = case wanted.status when 'pending' then 'cancelled' else r.status end,
        completed_at = case wanted.status when 'pending' then date_trunc('milliseconds', clock_timestamp()) end,
        cancel_requested_at = date_trunc('milliseconds', clock_timestamp()),
        last_seq = r.last_seq + case wanted.status when 'pending' then 2 else 1 end
    from wanted
    where r.id = wanted.id
    returning r.id, r.last_seq, r.team_id, r.attempt, r.worker_id, r.status, r.job_type, r.notify
),
audited as (
    insert into audit_log (team_id, actor_type, actor_id, action, resource_type, resource_id, metadata)
    select team_id, :actor_type::text, :actor_id::uuid, 'update', 'job_run', id, jsonb_build_object('cancel_requested', true)
    from asked
    where :actor_type::text is not null
),
facts as (
    insert into run_events (run_id, seq, team_id, kind, attempt, worker_id, data)
    select id, last_seq - case status when 'cancelled' then 1 else 0 end, team_id, 'cancel_requested', attempt, worker_id,
        jsonb_build_object('by', :requested_by::text)
    from asked
    union all
    select id, last_seq, team_id, 'cancelled', attempt, null, null from asked where status = 'cancelled'
),
noticed as (
    insert into notices (run_id)
    select e.id
    from asked as e
    where e.status = 'cancelled' and (
        e.notify
        or (e.team_id is null and e.status <> 'completed')
        or exists (select from webhooks as w where w.team_id = e.team_id and w.enabled and e.status = any(w.events))
    )
),
counted as (
    insert into run_totals as t (shard, job_type, outcome, runs, seconds, buckets)
    select my_shard(), job_type, status, count(*), 0, buckets_of(array_agg(0::float8))
    from asked
    where status = 'cancelled'
    group by job_type, status
    order by job_type, status -- whoever shares this shard locks in the same order
    on conflict (shard, job_type, outcome) do update
    set runs = t.runs + excluded.runs, seconds = t.seconds + excluded.seconds, buckets = added(t.buckets, excluded.buckets)
)
select id, worker_id from asked;

-- name: active_runs_of_project(team_id, project_id)
select id from job_runs where team_id = :team_id and project_id = :project_id and outcome is null order by id;

-- name: status_of(run_id, team_ids)^
select status, cancel_requested_at is not null as cancelling
from job_runs where id = :run_id and team_id = any(:team_ids::uuid[]);

-- name: enlist(id, name, version, lease)!
-- scope: system (workers serve every team)
insert into workers (id, name, version, leased_until)
values (:id, :name, :version, clock_timestamp() + make_interval(secs => :lease));

-- name: claim(worker_id, job_types, slots)
-- scope: system (workers serve every team)
-- The worker's own row is locked first: a reaper that has it is told apart from one that comes later.
with me as (
    select w.id, w.name from workers as w where w.id = :worker_id and w.leased_until > clock_timestamp() for update
),
due as (
    select next.id
    from unnest(:job_types::text[]) as t (job_type)
    cross join lateral (
        select r.id, r.run_at
        from job_runs as r
        where r.job_type = t.job_type and r.outcome is null and r.status = 'pending' and r.run_at <= now()
            and exists (select from me)
        order by r.run_at, r.id
        limit :slots
        for update skip locked
    ) as next
    order by next.run_at, next.id
    limit :slots
),
claimed as (
    update job_runs as r
    set status = 'running', attempt = r.attempt + 1, worker_id = :worker_id, last_seq = r.last_seq + 1,
        started_at = date_trunc('milliseconds', clock_timestamp())
    from due
    where r.id = due.id
    returning r.*
),
facts as (
    insert into run_events (run_id, seq, team_id, kind, attempt, worker_id, data)
    select c.id, c.last_seq, c.team_id, 'started', c.attempt, c.worker_id, jsonb_build_object('worker', me.name)
    from claimed as c, me
),
counted as (
    update workers as w set claimed = w.claimed + n.runs
    from (select count(*) as runs from claimed) as n
    where w.id = :worker_id and n.runs > 0
)
select
    id, attempt, job_type, team_id, project_id, params::text, checkpoint::text, progress::text, timeout_seconds, failures, crashes,
    log_lines, log_bytes, logs_dropped
from claimed;

-- name: claim_seated(worker_id, job_types, limits, slots)
-- scope: system (workers serve every team)
-- The claim for job types that limit how many of their runs run at once: a run is taken together with a free place of its type.
-- A place is free unless the attempt that was seated there last is running. Between the look and the lock somebody else may have
-- been seated; the lock then sees another row than the look did, and the comparison of the two refuses it. More places are looked
-- at than are wanted, because others who claim at this moment have locked some of them.
with me as (
    select w.id, w.name from workers as w where w.id = :worker_id and w.leased_until > clock_timestamp() for update
),
free as materialized (
    select t.job_type, look.place, look.run_id, look.attempt
    from unnest(:job_types::text[], :limits::integer[]) as t (job_type, places)
    cross join lateral (
        select s.place, s.run_id, s.attempt
        from job_places as s
        where s.job_type = t.job_type and s.place <= t.places and not exists (
            select from job_runs as r where r.id = s.run_id and r.attempt = s.attempt and r.status = 'running'
        )
        order by s.place
        limit 4 * :slots::bigint + 20
    ) as look
    where exists (select from me)
),
places as materialized (
    select t.job_type, taken.place, row_number() over (partition by t.job_type order by taken.place) as nth
    from unnest(:job_types::text[]) as t (job_type)
    cross join lateral (
        select s.place
        from free as f
        join job_places as s
            on s.job_type = f.job_type and s.place = f.place
            and s.run_id is not distinct from f.run_id and s.attempt is not distinct from f.attempt
        where f.job_type = t.job_type
        order by f.place
        limit :slots::bigint
        for update of s skip locked
    ) as taken
),
due as materialized (
    select next.id, room.job_type, next.run_at
    from (select job_type, count(*) as places from places group by job_type) as room
    cross join lateral (
        select r.id, r.run_at
        from job_runs as r
        where r.job_type = room.job_type and r.outcome is null and r.status = 'pending' and r.run_at <= now()
        order by r.run_at, r.id
        limit room.places
        for update skip locked
    ) as next
    order by next.run_at, next.id
    limit :slots
),
chosen as (
    select due.id, places.place
    from (select id, job_type, row_number() over (partition by job_type order by run_at, id) as nth from due) as due
    join places on places.job_type = due.job_type and places.nth = due.nth
),
claimed as (
    update job_runs as r
    set status = 'running', attempt = r.attempt + 1, worker_id = :worker_id, last_seq = r.last_seq + 1,
        started_at = date_trunc('milliseconds', clock_timestamp())
    from chosen
    where r.id = chosen.id
    returning r.*, chosen.place
),
seated as (
    update job_places as s set run_id = c.id, attempt = c.attempt
    from claimed as c
    where s.job_type = c.job_type and s.place = c.place
),
facts as (
    insert into run_events (run_id, seq, team_id, kind, attempt, worker_id, data)
    select c.id, c.last_seq, c.team_id, 'started', c.attempt, c.worker_id, jsonb_build_object('worker', me.name)
    from claimed as c, me
),
counted as (
    update workers as w set claimed = w.claimed + n.runs
    from (select count(*) as runs from claimed) as n
    where w.id = :worker_id and n.runs > 0
)
select
    id, attempt, job_type, team_id, project_id, params::text, checkpoint::text, progress::text, timeout_seconds, failures, crashes,
    log_lines, log_bytes, logs_dropped
from claimed;

-- name: set_places(job_types, limits)!
-- scope: system (workers serve every team)
insert into job_places (job_type, place)
select t.job_type, generate_series(1, t.places)
from unnest(:job_types::text[], :limits::integer[]) as t (job_type, places)
order by 1, 2
on conflict do nothing;

-- name: renew(worker_id, lease, run_ids, attempts, pulse, memory, draining)^
-- scope: system (workers serve every team)
-- No row: the lease had run out. Otherwise: how many runs this id ever claimed, which of those it holds somebody wants to
-- stop, and which are not its own any more.
with me as (
    update workers
    set leased_until = clock_timestamp() + make_interval(secs => :lease), seen_at = clock_timestamp(),
        running = cardinality(:run_ids::uuid[]), pulse_seconds = :pulse, memory_bytes = :memory, draining = :draining
    where id = :worker_id and leased_until > clock_timestamp()
    returning claimed
)
select me.claimed, held.to_cancel, held.gone
from me
cross join (
    select
        coalesce(array_agg(h.id) filter (where r.cancel_requested_at is not null), '{}') as to_cancel,
        coalesce(array_agg(h.id) filter (where r.id is null), '{}') as gone
    from unnest(:run_ids::uuid[], :attempts::integer[]) as h (id, attempt)
    left join job_runs as r on r.id = h.id and r.attempt = h.attempt and r.status = 'running'
) as held;

-- name: held_by(worker_id)
-- scope: system (workers serve every team)
select id, attempt from job_runs where outcome is null and status = 'running' and worker_id = :worker_id;

-- name: hold(run_ids)!
-- scope: system (locks and changes nothing)
-- What a transaction does first that writes to these runs in several statements; those that come later see what is true by then.
select from job_runs where id = any(:run_ids::uuid[]) order by id for update;

-- name: flush(run_ids, attempts, progresses, lines, bytes, dropped, log_runs, log_seqs, log_levels, log_messages, log_fields, log_times)!
-- scope: system (guarded by the attempt that only the run's own worker holds)
-- Progress and log lines of many runs. Lines carry their numbers and counts are totals, so that it may be sent twice.
with held as (
    select f.*
    from unnest(
        :run_ids::uuid[], :attempts::integer[], :progresses::text[], :lines::integer[], :bytes::integer[], :dropped::integer[]
    ) as f (id, attempt, progress, lines, bytes, dropped)
    join job_runs as r on r.id = f.id and r.attempt = f.attempt and r.status = 'running'
    order by r.id
    for update of r
),
flushed as (
    update job_runs as r
    set progress = coalesce(f.progress::jsonb, r.progress),
        log_lines = greatest(f.lines, r.log_lines), log_bytes = greatest(f.bytes, r.log_bytes),
        logs_dropped = greatest(f.dropped, r.logs_dropped)
    from held as f
    where r.id = f.id
    returning r.id, r.team_id, r.attempt
)
insert into run_logs (run_id, seq, team_id, attempt, level, message, fields, logged_at)
select flushed.id, l.seq, flushed.team_id, flushed.attempt, l.level, l.message, l.fields::jsonb, l.logged_at
from unnest(
    :log_runs::uuid[], :log_seqs::integer[], :log_levels::smallint[], :log_messages::text[], :log_fields::text[],
    :log_times::timestamptz[]
) as l (run_id, seq, level, message, fields, logged_at)
join flushed on flushed.id = l.run_id
on conflict (run_id, seq) do nothing;

-- name: fence(run_id, attempt)$
-- scope: system (guarded by the attempt that only the run's own worker holds)
-- Holds the run in this attempt's hands until the transaction ends; nothing when it is not in them.
select id from job_runs where id = :run_id and attempt = :attempt and status = 'running' for update;

-- name: save_checkpoints(run_ids, attempts, states)
-- scope: system (guarded by the attempt that only the run's own worker holds)
with held as (
    select c.id, c.state
    from unnest(:run_ids::uuid[], :attempts::integer[], :states::text[]) as c (id, attempt, state)
    join job_runs as r on r.id = c.id and r.attempt = c.attempt and r.status = 'running'
    order by r.id
    for update of r
)
update job_runs as r set checkpoint = held.state::jsonb, crashes = 0 from held where r.id = held.id returning r.id;

-- name: finish(run_ids, attempts, statuses, results, errors, codes, tracebacks, delays, progresses)
-- scope: system (guarded by the attempt that only the run's own worker holds)
-- The status is decided here and not by the worker: a run that somebody asked to stop ends cancelled, whatever its handler did.
-- Otherwise `retrying` is pending again, due after its delay.
with held as (
    select f.*
    from unnest(
        :run_ids::uuid[], :attempts::integer[], :statuses::text[], :results::text[], :errors::text[], :codes::text[],
        :tracebacks::text[], :delays::float8[], :progresses::text[]
    ) as f (id, attempt, status, result, error, code, traceback, delay, progress)
    join job_runs as r on r.id = f.id and r.attempt = f.attempt and r.status = 'running'
    order by r.id
    for update of r
),
ended as (
    update job_runs as r
    set status = status_after(f.status, r.cancel_requested_at),
        result = case when status_after(f.status, r.cancel_requested_at) <> 'pending' then f.result::jsonb end,
        error = case when status_after(f.status, r.cancel_requested_at) = 'failed' then f.error end,
        error_code = case when status_after(f.status, r.cancel_requested_at) = 'failed' then f.code end,
        progress = case
            when f.status = 'completed' and r.cancel_requested_at is null then full_progress(coalesce(f.progress::jsonb, r.progress))
            else coalesce(f.progress::jsonb, r.progress)
        end,
        started_at = case when status_after(f.status, r.cancel_requested_at) <> 'pending' then r.started_at end,
        completed_at = case
            when status_after(f.status, r.cancel_requested_at) <> 'pending' then date_trunc('milliseconds', clock_timestamp())
        end,
        run_at = case
            when f.delay is null then r.run_at
            else date_trunc('milliseconds', clock_timestamp() + make_interval(secs => f.delay))
        end,
        failures = r.failures + case when f.status in ('failed', 'retrying') then 1 else 0 end,
        worker_id = null,
        last_seq = r.last_seq + 1
    from held as f
    where r.id = f.id
    returning r.id, r.last_seq, r.team_id, r.status, r.attempt, r.run_at, f.error, f.code, f.traceback, r.job_type, r.notify,
        coalesce(extract(epoch from r.completed_at - r.started_at), 0)::float8 as seconds
),
facts as (
    insert into run_events (run_id, seq, team_id, kind, attempt, data)
    select
        id, last_seq, team_id, case status when 'pending' then 'retrying' else status end, attempt,
        case when status in ('failed', 'pending') then jsonb_strip_nulls(jsonb_build_object(
            'error', error, 'code', code, 'traceback', traceback, 'run_at', case status when 'pending' then ms(run_at) end
        )) end
    from ended
),
noticed as (
    insert into notices (run_id)
    select e.id
    from ended as e
    where e.status <> 'pending' and (
        e.notify
        or (e.team_id is null and e.status <> 'completed')
        or exists (select from webhooks as w where w.team_id = e.team_id and w.enabled and e.status = any(w.events))
    )
),
counted as (
    insert into run_totals as t (shard, job_type, outcome, runs, seconds, buckets)
    select my_shard(), job_type, status, count(*), sum(seconds), buckets_of(array_agg(seconds))
    from ended
    where status <> 'pending'
    group by job_type, status
    order by job_type, status -- whoever shares this shard locks in the same order
    on conflict (shard, job_type, outcome) do update
    set runs = t.runs + excluded.runs, seconds = t.seconds + excluded.seconds, buckets = added(t.buckets, excluded.buckets)
)
select id, status from ended;

-- name: ended_by(run_ids, attempts)
-- scope: system (guarded by the attempt that only the run's own worker holds)
-- Which of these attempts have ended already: their finish was stored and only its reply was lost.
select e.run_id as id, case e.kind when 'retrying' then 'pending' else e.kind end as status
from unnest(:run_ids::uuid[], :attempts::integer[]) as f (id, attempt)
join run_events as e on e.run_id = f.id and e.attempt = f.attempt
where e.kind in ('completed', 'failed', 'cancelled', 'retrying');

-- name: release(run_ids, attempts)
-- scope: system (guarded by the attempt that only the run's own worker holds)
-- Gives runs back without a charge. One that somebody asked to stop ends cancelled instead. Call `hold` first.
with released as (
    update job_runs as r
    set status = case when r.cancel_requested_at is null then 'pending' else 'cancelled' end,
        started_at = case when r.cancel_requested_at is not null then r.started_at end,
        completed_at = case when r.cancel_requested_at is not null then date_trunc('milliseconds', clock_timestamp()) end,
        worker_id = null,
        last_seq = r.last_seq + 1
    from unnest(:run_ids::uuid[], :attempts::integer[]) as h (id, attempt)
    where r.id = h.id and r.attempt = h.attempt and r.status = 'running'
    returning r.id, r.last_seq, r.team_id, r.status, r.attempt, r.job_type, r.notify,
        coalesce(extract(epoch from r.completed_at - r.started_at), 0)::float8 as seconds
),
facts as (
    insert into run_events (run_id, seq, team_id, kind, attempt)
    select id, last_seq, team_id, case status when 'pending' then 'released' else status end, attempt from released
),
noticed as (
    insert into notices (run_id)
    select e.id
    from released as e
    where e.status <> 'pending' and (
        e.notify
        or (e.team_id is null and e.status <> 'completed')
        or exists (select from webhooks as w where w.team_id = e.team_id and w.enabled and e.status = any(w.events))
    )
),
counted as (
    insert into run_totals as t (shard, job_type, outcome, runs, seconds, buckets)
    select my_shard(), job_type, status, count(*), sum(seconds), buckets_of(array_agg(seconds))
    from released
    where status <> 'pending'
    group by job_type, status
    order by job_type, status -- whoever shares this shard locks in the same order
    on conflict (shard, job_type, outcome) do update
    set runs = t.runs + excluded.runs, seconds = t.seconds + excluded.seconds, buckets = added(t.buckets, excluded.buckets)
)
select id from released;

-- name: forgive(run_ids, attempts)!
-- scope: system (guarded by the attempt that only the run's own worker held)
-- Takes back a crash that was charged to an attempt whose worker turns out to be alive: it had only lost its lease. Charged are the
-- newest `crashes` losses: a checkpoint took back all before it. The fact is a late `released` of the same attempt, and makes this
-- safe to repeat. Once per run: one that freezes whatever worker it is on would be forgiven, and begun anew, for ever.
-- Call `hold` first: without the lock, a repeat that waits here for the first would not see its fact.
with charged as (
    select r.id, r.crashes
    from job_runs as r
    where r.id = any(:run_ids::uuid[]) and r.outcome is null and r.crashes > 0 and not exists (
        select from run_events as l
        join run_events as e on e.run_id = l.run_id and e.attempt = l.attempt and e.kind = 'released'
        where l.run_id = r.id and l.kind = 'lost'
    )
),
losses as (
    select c.id, c.crashes, e.attempt, row_number() over (partition by e.run_id order by e.attempt desc) as nth
    from charged as c
    join run_events as e on e.run_id = c.id and e.kind = 'lost'
),
forgivable as (
    select distinct on (l.id) l.id, l.attempt
    from losses as l
    join unnest(:run_ids::uuid[], :attempts::integer[]) as h (id, attempt) on h.id = l.id and h.attempt = l.attempt
    where l.nth <= l.crashes
    order by l.id, l.attempt
),
forgiven as (
    update job_runs as r set crashes = r.crashes - 1, last_seq = r.last_seq + 1
    from forgivable as f
    where r.id = f.id
    returning r.id, r.last_seq, r.team_id, f.attempt
)
insert into run_events (run_id, seq, team_id, kind, attempt)
select id, last_seq, team_id, 'released', attempt from forgiven;

-- name: leave(worker_id)!
-- scope: system (workers serve every team)
delete from workers where id = :worker_id;

-- name: lock_dead_workers(lease)
-- scope: system (every process may take back the runs of a dead worker)
-- None within one lease of the server's start: while it was away nobody could renew.
select w.id
from workers as w
where w.leased_until < clock_timestamp()
    and pg_postmaster_start_time() + make_interval(secs => :lease) < clock_timestamp()
order by w.id
for update skip locked;

-- name: in_dead_hands(worker_ids)
-- scope: system (every process may take back the runs of a dead worker)
-- Not those that some transaction holds: the dead worker's own may be open still. They are taken back at a later look.
select r.id, r.attempt
from job_runs as r
where r.outcome is null and r.status = 'running' and r.worker_id = any(:worker_ids::uuid[])
order by r.id
for update skip locked;

-- name: take_back(run_ids, attempts, reasons, crash_limit)
-- scope: system (whose attempt was lost is no matter of teams)
-- An attempt was lost without a goodbye: its run is charged a crash and is pending again, or has ended.
with lost as (
    select r.id, r.crashes + 1 as crashes, r.worker_id, l.reason,
        case
            when r.cancel_requested_at is not null then 'cancelled'
            when r.crashes + 1 >= :crash_limit then 'failed'
            else 'pending'
        end as status
    from unnest(:run_ids::uuid[], :attempts::integer[], :reasons::text[]) as l (id, attempt, reason)
    join job_runs as r on r.id = l.id and r.attempt = l.attempt and r.status = 'running'
    order by r.id
    for update of r
),
taken as (
    update job_runs as r
    set status = lost.status,
        crashes = lost.crashes,
        started_at = case when lost.status <> 'pending' then r.started_at end,
        completed_at = case when lost.status <> 'pending' then date_trunc('milliseconds', clock_timestamp()) end,
        error = case
            when lost.status = 'failed' then 'Given up after ' || lost.crashes || ' crashes: ' || lost.reason || '.'
        end,
        error_code = case when lost.status = 'failed' then 'poisoned' end,
        worker_id = null,
        last_seq = r.last_seq + case when lost.status = 'pending' then 1 else 2 end
    from lost
    where r.id = lost.id
    returning r.id, r.last_seq, r.team_id, r.status, r.attempt, r.crashes, r.error, r.error_code, lost.worker_id, lost.reason,
        r.job_type, r.notify, coalesce(extract(epoch from r.completed_at - r.started_at), 0)::float8 as seconds
),
facts as (
    insert into run_events (run_id, seq, team_id, kind, attempt, worker_id, data)
    select id, last_seq - case when status = 'pending' then 0 else 1 end, team_id, 'lost', attempt, worker_id,
        jsonb_build_object('crashes', crashes, 'reason', reason)
    from taken
    union all
    select id, last_seq, team_id, status, attempt, null,
        case when status = 'failed' then jsonb_build_object('error', error, 'code', error_code) end
    from taken
    where status <> 'pending'
),
noticed as (
    insert into notices (run_id)
    select e.id
    from taken as e
    where e.status <> 'pending' and (
        e.notify
        or (e.team_id is null and e.status <> 'completed')
        or exists (select from webhooks as w where w.team_id = e.team_id and w.enabled and e.status = any(w.events))
    )
),
counted as (
    insert into run_totals as t (shard, job_type, outcome, runs, seconds, buckets)
    select my_shard(), job_type, status, count(*), sum(seconds), buckets_of(array_agg(seconds))
    from taken
    where status <> 'pending'
    group by job_type, status
    order by job_type, status -- whoever shares this shard locks in the same order
    on conflict (shard, job_type, outcome) do update
    set runs = t.runs + excluded.runs, seconds = t.seconds + excluded.seconds, buckets = added(t.buckets, excluded.buckets)
)
select id, status from taken;

-- name: overdue(run_ids, attempts, reasons)!
-- scope: system (guarded by the attempt that only the run's own worker holds)
-- These attempts were told to stop and did not.
with held as (
    select o.id, o.reason
    from unnest(:run_ids::uuid[], :attempts::integer[], :reasons::text[]) as o (id, attempt, reason)
    join job_runs as r on r.id = o.id and r.attempt = o.attempt and r.status = 'running'
    order by r.id
    for update of r
),
overdue as (
    update job_runs as r set last_seq = r.last_seq + 1
    from held
    where r.id = held.id
    returning r.id, r.last_seq, r.team_id, r.attempt, r.worker_id, held.reason
)
insert into run_events (run_id, seq, team_id, kind, attempt, worker_id, data)
select id, last_seq, team_id, 'overdue', attempt, worker_id, jsonb_build_object('reason', reason) from overdue;

-- name: bury(worker_ids)!
-- scope: system (every process may take back the runs of a dead worker)
-- Not one whose run is locked by a transaction that its death has left open: that run is taken back once the database ends it.
delete from workers as w
where w.id = any(:worker_ids::uuid[]) and not exists (
    select from job_runs as r where r.outcome is null and r.status = 'running' and r.worker_id = w.id
);

-- name: orphans()
-- scope: system (every process may take back the runs of a dead worker)
-- Running rows whose worker is nowhere. None can come to be while the statements above are the only ones that write.
select distinct r.worker_id
from job_runs as r
where r.outcome is null and r.status = 'running' and not exists (select from workers as w where w.id = r.worker_id);

-- name: wake(channel, messages)!
-- scope: system (a hint without content)
select pg_notify(:channel, message) from unnest(:messages::text[]) as message;
