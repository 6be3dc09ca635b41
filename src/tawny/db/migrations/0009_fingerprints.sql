-- Which failed runs are alike.

-- What an error says without what differs from run to run: addresses, numbers, ids and whatever else contains a digit. Of its
-- beginning only, since the rest of a long one is mostly data.
create function error_shape(error text) returns text immutable language sql as
$$ select regexp_replace(
    regexp_replace(
        left(error, 500), '[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+|[A-Za-z0-9_-]*[0-9][A-Za-z0-9_-]*', '#', 'g'
    ),
    '#([.:,/-]+#)+', '#', 'g'
) $$;

-- The job type stands in it, so that a fingerprint alone says which runs are meant.
alter table job_runs
add column fingerprint text generated always as (
    case when status = 'failed' then job_type || ':' || left(md5(error_shape(coalesce(error, ''))), 16) end
) stored;

-- Lists by fingerprint. Runs that have not failed are in neither.
create index job_runs_of_fingerprint
on job_runs (team_id, fingerprint, created_at, id) where team_id is not null and fingerprint is not null;
create index job_runs_of_project_and_fingerprint
on job_runs (team_id, project_id, fingerprint, created_at, id) where team_id is not null and fingerprint is not null;
