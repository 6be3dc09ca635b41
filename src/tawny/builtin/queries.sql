-- What is too old goes, in batches that each take a few milliseconds. Whoever works on a row of a batch is stepped over.
-- Old runs are found by their ids, which begin with the time at which they were made: what is younger than that is not looked at.

-- name: delete_old_lines(days, after_run, after_seq, at_most)^
-- scope: system (the log lines of all teams grow old)
-- Lines of runs that ended so long ago, from a place on. A run that goes on, or ended later, keeps all of its lines.
with old as materialized (
    select l.run_id, l.seq
    from run_logs as l
    where (l.run_id, l.seq) > (:after_run::uuid, :after_seq::integer)
        and l.run_id < first_id_at(statement_timestamp() - make_interval(days => :days))
        and not exists (
            select from job_runs as r
            where r.id = l.run_id
                and (r.outcome is null or r.completed_at >= statement_timestamp() - make_interval(days => :days))
        )
    order by l.run_id, l.seq
    limit :at_most
),
gone as (
    delete from run_logs as l using old where l.run_id = old.run_id and l.seq = old.seq
)
select (select count(*) from old) as gone, run_id, seq from old order by run_id desc, seq desc limit 1;

-- name: delete_old_runs(days, after, at_most, lines_at_most)^
-- scope: system (the runs of all teams grow old)
-- Runs that ended so long ago, from an id on, with their events and what is left of their lines. Fewer where they have many lines.
with found as materialized (
    select r.id, r.log_lines
    from job_runs as r
    where r.id > :after and r.id < first_id_at(statement_timestamp() - make_interval(days => :days))
        and r.completed_at < statement_timestamp() - make_interval(days => :days)
    order by r.id
    limit :at_most
    for update skip locked
),
old as materialized (
    select id from (select id, sum(log_lines) over (order by id) - log_lines as lines_before from found) as counted
    where lines_before < :lines_at_most::bigint
),
events as (
    delete from run_events as e using old where e.run_id = old.id
),
lines as (
    delete from run_logs as l using old where l.run_id = old.id
),
gone as (
    delete from job_runs as r using old where r.id = old.id
)
select (select count(*) from old) as gone, id from old order by id desc limit 1;

-- name: delete_old_ticks(days, at_most)^
-- scope: system (the ticks of all teams grow old)
with old as materialized (
    select schedule_id, due_at
    from schedule_ticks
    where decided_at < statement_timestamp() - make_interval(days => :days)
    order by decided_at
    limit :at_most
    for update skip locked
),
gone as (
    delete from schedule_ticks as t using old where t.schedule_id = old.schedule_id and t.due_at = old.due_at
)
select count(*) as gone from old;

-- name: delete_ticks_of_deleted(days, at_most)^
-- scope: system (what all teams have deleted)
with old as materialized (
    select t.schedule_id, t.due_at
    from schedules as s
    join schedule_ticks as t on t.schedule_id = s.id
    where s.deleted_at < statement_timestamp() - make_interval(days => :days)
    limit :at_most
    for update of t skip locked
),
gone as (
    delete from schedule_ticks as t using old where t.schedule_id = old.schedule_id and t.due_at = old.due_at
)
select count(*) as gone from old;

-- name: delete_deleted_schedules(days, at_most)^
-- scope: system (what all teams have deleted)
with old as materialized (
    select id from schedules as s
    where s.deleted_at < statement_timestamp() - make_interval(days => :days)
        and not exists (select from schedule_ticks as t where t.schedule_id = s.id)
    order by s.deleted_at
    limit :at_most
    for update skip locked
),
gone as (
    delete from schedules as s using old where s.id = old.id
)
select count(*) as gone from old;

-- name: delete_deleted_integrations(days, at_most)^
-- scope: system (what all teams have deleted)
with old as materialized (
    select id from integrations
    where deleted_at < statement_timestamp() - make_interval(days => :days)
    order by deleted_at
    limit :at_most
    for update skip locked
),
gone as (
    delete from integrations as i using old where i.id = old.id
)
select count(*) as gone from old;

-- name: deleted_projects(days, after, at_most)
-- scope: system (what all teams have deleted)
select id, team_id from projects
where deleted_at < statement_timestamp() - make_interval(days => :days) and id > :after
order by id
limit :at_most;

-- name: delete_runs_of_project(team_id, project_id, at_most, lines_at_most)^
-- Runs of a project that ended, with their events and lines. Fewer where they have many lines.
with found as materialized (
    select r.id, r.log_lines
    from job_runs as r
    where r.team_id = :team_id and r.project_id = :project_id and r.outcome is not null
    order by r.outcome, r.created_at, r.id
    limit :at_most
    for update skip locked
),
old as materialized (
    select id from (select id, sum(log_lines) over (order by id) - log_lines as lines_before from found) as counted
    where lines_before < :lines_at_most::bigint
),
events as (
    delete from run_events as e using old where e.run_id = old.id
),
lines as (
    delete from run_logs as l using old where l.run_id = old.id
),
gone as (
    delete from job_runs as r using old where r.id = old.id
)
select count(*) as gone from old;

-- name: delete_subscribers_of_project(team_id, project_id, at_most)^
-- With their entitlements.
with old as materialized (
    select id from subscribers
    where team_id = :team_id and project_id = :project_id
    order by created_at, id
    limit :at_most
    for update skip locked
),
gone as (
    delete from subscribers as s using old where s.id = old.id
)
select count(*) as gone from old;

-- name: delete_project(team_id, project_id)$
-- The row itself, once nothing is left that belongs to it.
delete from projects as p
where p.id = :project_id and p.team_id = :team_id and p.deleted_at is not null
    and not exists (select from job_runs as r where r.team_id = p.team_id and r.project_id = p.id)
    and not exists (select from integrations as i where i.project_id = p.id)
    and not exists (select from schedules as s where s.project_id = p.id)
    and not exists (select from subscribers as s where s.project_id = p.id)
returning p.id;
