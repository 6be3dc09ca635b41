-- Work that starts by itself.

create table schedules (
    id uuid primary key,
    team_id uuid references teams (id), -- null: a system job's, as its author has declared it
    project_id uuid references projects (id),
    job_type text not null,
    cron text not null,
    timezone text not null,
    catch_up text not null check (catch_up in ('all', 'last', 'none')),
    params jsonb not null default '{}', -- as sent
    enabled boolean not null default true, -- false: its due times are only written down
    made_by text, -- user:<uuid> or api_key:<uuid>
    next_at timestamptz, -- the next due time that is not decided; null: there is none to come
    look_at timestamptz, -- when to look at it: at that time, or later where it waits for something
    created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
    updated_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
    deleted_at timestamptz,
    check ((team_id is null) = (project_id is null)),
    check ((next_at is null) = (look_at is null)),
    check (deleted_at is null or next_at is null)
);

create unique index schedules_of_system on schedules (job_type) where team_id is null;
create index schedules_of_project on schedules (project_id, created_at, id);

-- What is due, by job type: a worker looks for those that it knows, and what one beat reads does not grow with what exists.
create index schedules_due on schedules (job_type, look_at, id) where look_at is not null;

create index schedules_deleted on schedules (deleted_at) where deleted_at is not null;

-- What became of each due time. The key is what makes it happen once: the row is written in the transaction that makes the run.
create table schedule_ticks (
    schedule_id uuid not null,
    due_at timestamptz not null,
    team_id uuid,
    decision text not null check (decision in ('started', 'skipped_active', 'skipped_disabled', 'missed')),
    reason text, -- where it was not started
    run_id uuid, -- the run that was started, or that was in the way
    until timestamptz, -- of several due times in one row: the last one
    times integer not null default 1, -- how many due times this row is about
    decided_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
    primary key (schedule_id, due_at)
);

create index schedule_ticks_age on schedule_ticks (decided_at);
create index schedule_ticks_of_run on schedule_ticks (run_id) where decision = 'started';

-- What was deleted softly is deleted for good after a week.
create index projects_deleted on projects (id) where deleted_at is not null;
create index integrations_deleted on integrations (deleted_at) where deleted_at is not null;

-- The first id that a run of this time or later can have: ids begin with the milliseconds at which they were made. So old runs are
-- found by their primary key, and no index has to be kept for that.
create function first_id_at(t timestamptz) returns uuid stable language sql as
$$ select (lpad(to_hex(floor(extract(epoch from t) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid $$;

-- What the operator lists: runs of no team.
create index job_runs_of_system on job_runs (created_at, id) where team_id is null;
create index job_runs_of_system_by_type on job_runs (job_type, created_at, id) where team_id is null;
