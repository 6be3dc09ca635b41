-- name: synced_users(project_id)
select app_user_id, entitlements, revenue_cents, attributes
from subscribers
where project_id = :project_id and synced_at is not null;

-- name: ended_run(run_id)^
select status, error, result, extract(epoch from completed_at - started_at)::float8 as seconds
from job_runs
where id = :run_id and outcome is not null;
