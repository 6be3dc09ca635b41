-- Who uses Tawny

create table teams (
    id uuid primary key,
    name text not null,
    slug text not null unique,
    created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp())
);

create table users (
    id uuid primary key,
    email text not null,
    created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp())
);

create unique index users_email on users (lower(email));

create table memberships (
    team_id uuid not null references teams (id),
    user_id uuid not null references users (id),
    role text not null check (role in ('owner', 'admin', 'member')),
    created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
    primary key (team_id, user_id)
);

create index memberships_user on memberships (user_id);

create table projects (
    id uuid primary key,
    team_id uuid not null references teams (id),
    name text not null,
    slug text not null,
    color text not null,
    created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
    deleted_at timestamptz
);

create unique index projects_slug on projects (team_id, slug) where deleted_at is null;

-- The text of a key is shown once and never stored; its SHA-256 is enough, since the key itself is 178 random bits.
create table api_keys (
    id uuid primary key,
    team_id uuid not null references teams (id),
    created_by uuid references users (id), -- null: made on the host, acts as the team's owner
    name text not null,
    key_hash bytea not null unique,
    last4 text not null,
    permissions text[] not null,
    created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);

create index api_keys_team on api_keys (team_id, created_at);

-- Who does the work

create table workers (
    id uuid primary key,
    name text not null, -- host:pid, for people
    version text not null,
    started_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
    leased_until timestamptz not null,
    -- Runs ever claimed under this id. A worker that counted fewer lost the reply of a claim.
    claimed bigint not null default 0
) with (fillfactor = 20); -- tiny, and updated at every beat: room on the page keeps these updates HOT

-- The work

-- One row is both the record that the API serves and the entry that workers claim.
create table job_runs (
    id uuid primary key,
    team_id uuid, -- null: a system run
    project_id uuid,
    job_type text not null,
    status text not null default 'pending' check (status in ('pending', 'running', 'completed', 'failed', 'cancelled')),
    -- The status once it is final. Indexes use this column and not `status`, so that a claim changes no indexed value and
    -- stays a HOT update, which halves what a run costs.
    outcome text generated always as (case when status in ('completed', 'failed', 'cancelled') then status end) stored,
    triggered_by text not null,
    params jsonb,
    progress jsonb,
    result jsonb,
    error text,
    error_code text,
    notify boolean not null default false,
    created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
    started_at timestamptz,
    completed_at timestamptz,
    attempt integer not null default 0,  -- claims so far: the fencing token
    failures integer not null default 0, -- handlers that raised: bounded by the type's retries
    crashes integer not null default 0,  -- attempts lost without a goodbye since the last checkpoint: bounded by 3
    run_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
    worker_id uuid,
    cancel_requested_at timestamptz,
    timeout_seconds double precision,
    checkpoint jsonb,
    unique_key text,
    retry_of uuid,
    last_seq integer not null default 1, -- of this run's events
    check ((status = 'running') = (worker_id is not null)),
    check ((status in ('completed', 'failed', 'cancelled')) = (completed_at is not null)),
    check (status <> 'pending' or (started_at is null and error is null)),
    check (status = 'failed' or error is null)
) with (fillfactor = 70); -- room for the claim's new version on the same page

-- At most one active run per type, project and key: a fact of the database, for every way a run can be made.
create unique index job_runs_one_active on job_runs (team_id, job_type, project_id, unique_key)
nulls not distinct where outcome is null;

-- What workers claim, oldest due first; running rows are in it, and are stepped over.
create index job_runs_due on job_runs (job_type, run_at, id) where outcome is null;

-- Lists. A list without a status merges its few outcomes in order, so four indexes bound eight combinations of filters.
create index job_runs_of_team on job_runs (team_id, created_at, id) where team_id is not null;
create index job_runs_of_team_by_outcome on job_runs (team_id, outcome, created_at, id) where team_id is not null;
create index job_runs_of_project on job_runs (team_id, project_id, outcome, created_at, id) where team_id is not null;
create index job_runs_of_type on job_runs (team_id, job_type, outcome, created_at, id) where team_id is not null;
create index job_runs_of_project_and_type
on job_runs (team_id, project_id, job_type, outcome, created_at, id) where team_id is not null;

create function keep_terminal_runs() returns trigger language plpgsql as $$
begin
    raise exception 'a run that has ended does not change';
end
$$;

create trigger job_runs_terminal before update on job_runs
for each row when (old.outcome is not null) execute function keep_terminal_runs();

-- Facts about runs, written by the statement that makes the change. Append-only.
create table run_events (
    run_id uuid not null,
    seq integer not null, -- given under the row lock of the run: 1, 2, 3 … without a gap
    team_id uuid,
    kind text not null,
    attempt integer not null,
    worker_id uuid,
    data jsonb,
    created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
    primary key (run_id, seq)
);

-- The progress of a run that completed: all of it. Where no total was ever told, what was done was the total.
create function full_progress(p jsonb) returns jsonb stable language sql as
$$ select case
    when coalesce((p ->> 'total')::numeric, 0) = 0 then p || jsonb_build_object('total', p -> 'processed')
    else p || jsonb_build_object('processed', p -> 'total')
end $$;

-- A time as clients see it: ISO 8601, UTC, milliseconds. STABLE and not IMMUTABLE, or PostgreSQL would not inline it.
create function ms(t timestamptz) returns text stable language sql as
$$ select to_char(t at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;

-- A run as clients see it: the JSON text of the 14 public fields. Joined by hand, which costs half of jsonb_build_object.
-- Types and statuses need no quoting: their alphabet has no character that JSON escapes.
create function run_json(r job_runs) returns text stable language sql as
$$ select
    '{"id":"' || r.id
    || '","job_type":"' || r.job_type
    || '","status":"' || r.status
    || '","team_id":' || coalesce('"' || r.team_id || '"', 'null')
    || ',"project_id":' || coalesce('"' || r.project_id || '"', 'null')
    || ',"triggered_by":"' || r.triggered_by
    || '","params":' || coalesce(r.params::text, 'null')
    || ',"progress":' || coalesce(r.progress::text, 'null')
    || ',"result":' || coalesce(r.result::text, 'null')
    || ',"error":' || coalesce(to_json(r.error)::text, 'null')
    || ',"notify":' || case when r.notify then 'true' else 'false' end
    || ',"started_at":' || coalesce('"' || ms(r.started_at) || '"', 'null')
    || ',"completed_at":' || coalesce('"' || ms(r.completed_at) || '"', 'null')
    || ',"created_at":"' || ms(r.created_at) || '"}'
$$;
