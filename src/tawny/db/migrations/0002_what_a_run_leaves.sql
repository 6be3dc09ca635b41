-- What a run leaves behind besides its row: log lines, and where it came from.

alter table job_runs
add column log_lines integer not null default 0, -- kept in run_logs, of all attempts
add column log_bytes integer not null default 0,
add column logs_dropped integer not null default 0; -- lines beyond what is kept of one run

create index job_runs_retries on job_runs (retry_of, id) where retry_of is not null;

-- Lines that handlers wrote, in the order in which they wrote them.
create table run_logs (
    run_id uuid not null,
    seq integer not null, -- 1, 2, 3 … over all attempts of the run
    team_id uuid,
    attempt integer not null,
    level smallint not null check (level in (10, 20, 30, 40)), -- debug, info, warning, error
    message text not null,
    fields jsonb,
    logged_at timestamptz not null, -- by the clock of the worker
    primary key (run_id, seq)
);

-- The places of job types that limit how many of their runs run at once, over all workers. A row names the attempt that was
-- seated there last. The place is free unless that very attempt is running now: `job_runs` alone says so, and nobody has to
-- get up when a run ends.
create table job_places (
    job_type text not null,
    place integer not null,
    run_id uuid,
    attempt integer,
    primary key (job_type, place)
) with (fillfactor = 20); -- tiny, and updated by each claim: room on the page keeps these updates HOT

-- The first answer to each `Idempotency-Key` of a team, for a day.
create table idempotency_keys (
    team_id uuid not null,
    key text not null,
    request_hash bytea not null,
    run_id uuid not null,
    answer text not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (team_id, key)
);

create index idempotency_keys_age on idempotency_keys (created_at);

-- How many runs of each type ended how, for `/metrics`: counted by the statement that ends them, so that the numbers are exact.
create table run_totals (
    -- Each connection counts in one of 64 rows and they are added up when read: else all workers would wait for each other's commit.
    shard smallint not null,
    job_type text not null,
    outcome text not null check (outcome in ('completed', 'failed', 'cancelled')),
    runs bigint not null,
    seconds double precision not null, -- that their last attempts took, in all
    buckets bigint[] not null, -- runs whose last attempt took at most as long as each of duration_bounds() says
    primary key (shard, job_type, outcome)
) with (fillfactor = 20); -- small, and updated at each end: room on the page keeps these updates HOT

-- In which row this connection counts. Two that share one only wait for each other.
create function my_shard() returns smallint stable language sql as
$$ select (pg_backend_pid() % 64)::smallint $$;

-- Seconds. Here and not in the code, because the stored buckets mean nothing without them.
create function duration_bounds() returns double precision[] immutable language sql as
$$ select array[0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14400]::double precision[] $$;

-- One pass over the seconds and no join with the bounds: this is part of every end of a run.
create function buckets_of(seconds double precision[]) returns bigint[] immutable language sql as
$$ select array[
    count(*) filter (where s <= b[1]), count(*) filter (where s <= b[2]), count(*) filter (where s <= b[3]),
    count(*) filter (where s <= b[4]), count(*) filter (where s <= b[5]), count(*) filter (where s <= b[6]),
    count(*) filter (where s <= b[7]), count(*) filter (where s <= b[8]), count(*) filter (where s <= b[9]),
    count(*) filter (where s <= b[10]), count(*) filter (where s <= b[11]), count(*) filter (where s <= b[12]),
    count(*) filter (where s <= b[13])
] from unnest(seconds) as s, (select duration_bounds() as b) as bounds $$;

create function added(a bigint[], b bigint[]) returns bigint[] immutable strict language sql as
$$ select array(select x + y from unnest(a, b) with ordinality as pair (x, y, place) order by place) $$;

create aggregate added_up(bigint[]) (sfunc = added, stype = bigint[]);

alter table workers
add column running integer not null default 0, -- attempts in its hands at its last beat
add column pulse_seconds double precision not null default 0; -- how long its last renewal took

-- What becomes of a run when its attempt ends as `said` (completed, failed, cancelled, retrying). A cancel that was
-- acknowledged wins over all of them.
create function status_after(said text, cancel_requested_at timestamptz) returns text immutable language sql as
$$ select case when cancel_requested_at is not null then 'cancelled' when said = 'retrying' then 'pending' else said end $$;
