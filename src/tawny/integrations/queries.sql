-- name: hold_project(project_id, team_id)$
-- Whoever deletes the project waits, or is waited for: nothing is connected to one that is gone.
select id from projects where id = :project_id and team_id = :team_id and deleted_at is null for key share;

-- name: insert_integration(id, team_id, project_id, provider, config, secrets)^
-- One that was deleted comes back, under its own id. No row: a living one is there.
insert into integrations as i (id, team_id, project_id, provider, config, secrets)
values (:id, :team_id, :project_id, :provider, :config::text::jsonb, :secrets::text::jsonb)
on conflict (project_id, provider) do update
set config = excluded.config, secrets = excluded.secrets, enabled = true, deleted_at = null,
    created_at = excluded.created_at, updated_at = excluded.updated_at
where i.deleted_at is not null
returning i.id, i.team_id, i.project_id, i.provider, i.config::text, i.enabled, i.created_at, i.updated_at;

-- name: list_integrations(team_id, project_id)
select id, team_id, project_id, provider, config::text, enabled, created_at, updated_at
from integrations
where team_id = :team_id and project_id = :project_id and deleted_at is null
order by created_at, id;

-- name: find_integration(team_id, project_id, provider)^
select id, team_id, project_id, provider, config::text, secrets::text, enabled, created_at, updated_at
from integrations
where team_id = :team_id and project_id = :project_id and provider = :provider and deleted_at is null;

-- name: lock_integration(team_id, project_id, provider)^
select id, team_id, project_id, provider, config::text, secrets::text, enabled, created_at, updated_at
from integrations
where team_id = :team_id and project_id = :project_id and provider = :provider and deleted_at is null
for update;

-- name: update_integration(id, team_id, config, secrets, enabled)^
update integrations
set config = :config::text::jsonb, secrets = :secrets::text::jsonb, enabled = :enabled,
    updated_at = date_trunc('milliseconds', clock_timestamp())
where id = :id and team_id = :team_id
returning id, team_id, project_id, provider, config::text, enabled, created_at, updated_at;

-- name: delete_integration(id, team_id)!
-- Its secrets go at once; only that it was there is kept for a while.
update integrations
set deleted_at = date_trunc('milliseconds', clock_timestamp()), secrets = '{}', config = '{}', enabled = false
where id = :id and team_id = :team_id;

-- name: next_secrets(after, at_most)
-- scope: system (the operator changes the keys of all teams)
select id, project_id, provider, secrets::text
from integrations
where id > :after and deleted_at is null
order by id
limit :at_most
for update;

-- name: count_unreadable(key_ids, at_most)
-- scope: system (the operator is told which keys are missing)
-- The second part of a ciphertext names its key.
select split_part(sealed.text, '.', 2) as key_id, count(distinct stored.id) as integrations
from
    (select i.id, i.secrets from integrations as i where i.deleted_at is null limit :at_most) as stored,
    jsonb_each_text(stored.secrets) as sealed (field, text)
where split_part(sealed.text, '.', 2) <> all(:key_ids::text[])
group by key_id
order by key_id;

-- name: replace_secrets(ids, secrets)!
-- scope: system (the operator changes the keys of all teams)
update integrations as i
set secrets = new.secrets::jsonb
from unnest(:ids::uuid[], :secrets::text[]) as new (id, secrets)
where i.id = new.id;

-- name: find_enabled(team_id, project_id, provider)^
select i.project_id, i.config::text, i.secrets::text
from integrations as i
where i.team_id = :team_id and i.project_id = :project_id and i.provider = :provider and i.enabled and i.deleted_at is null;

-- name: reserve_turns(subject, seconds)^
-- scope: system (whoever calls a service with this key shares its allowance)
-- So many seconds' worth of turns, of which the first is due in `wait` seconds.
insert into rate_limits as l (subject, paid_until)
values (:subject, clock_timestamp() + make_interval(secs => :seconds))
on conflict (subject) do update
set paid_until = greatest(l.paid_until, clock_timestamp()) + make_interval(secs => :seconds)
returning greatest(0, extract(epoch from paid_until - clock_timestamp()) - :seconds)::float8 as wait;

-- name: hold_off(subject, seconds)!
-- scope: system (whoever calls a service with this key shares its allowance)
insert into rate_limits as l (subject, paid_until)
values (:subject, clock_timestamp() + make_interval(secs => :seconds))
on conflict (subject) do update
set paid_until = greatest(l.paid_until, clock_timestamp() + make_interval(secs => :seconds));

-- name: find_receiver(project_id, provider)^
-- scope: system (a service that calls is of no team; it shows the secret of this very project)
select i.team_id, i.project_id, i.config::text, i.secrets::text
from integrations as i
where i.project_id = :project_id and i.provider = :provider and i.enabled and i.deleted_at is null;

-- name: connected_projects(provider, after, at_most)
-- scope: system (once a day, of all teams)
select i.project_id, i.team_id
from integrations as i join projects as p on p.id = i.project_id
where i.provider = :provider and i.project_id > :after and i.enabled and i.deleted_at is null and p.deleted_at is null
order by i.project_id
limit :at_most;

-- name: forget_events(days)!
-- scope: system (what services have told us is of no team)
delete from webhook_events where (project_id, provider, event_id) in (
    select project_id, provider, event_id from webhook_events
    where received_at < statement_timestamp() - make_interval(days => :days)
    order by received_at
    limit 1000
    for update skip locked
);
