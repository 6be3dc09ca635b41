-- name: ensure_user(id, email)$
-- scope: system (users are of no team)
-- The id of the user with this address, made when there is none. Two who make it at once get the same one.
with found as (
    select id from users where lower(email) = lower(:email)
),
made as (
    insert into users (id, email)
    select :id::uuid, :email::text where not exists (select from found)
    on conflict (lower(email)) do update set email = users.email
    returning id
)
select id from found union all select id from made;

-- name: find_user(user_id)^
-- scope: system (users are of no team)
select id, email, created_at from users where id = :user_id;

-- name: roles_of_user(user_id)
-- scope: system (who somebody is comes before which team they ask for)
-- No row: there is no such user. One row without a team: a user of no team.
select m.team_id, m.role
from users as u
left join memberships as m on m.user_id = u.id
where u.id = :user_id;

-- name: insert_team(id, name, slug)$
-- scope: system (only the host makes teams)
-- No row: the slug is taken.
insert into teams (id, name, slug) values (:id, :name, :slug) on conflict (slug) do nothing returning id;

-- name: teams_by_id(team_ids)
select id, name, slug, created_at from teams where id = any(:team_ids::uuid[]) order by created_at, id;

-- name: insert_membership(team_id, user_id, role)$
-- No row: this user is a member already.
insert into memberships (team_id, user_id, role)
values (:team_id, :user_id, :role)
on conflict (team_id, user_id) do nothing
returning team_id;

-- name: insert_project(id, team_id, name, slug, color)^
-- No row: a living project of the team has this slug.
insert into projects (id, team_id, name, slug, color)
values (:id, :team_id, :name, :slug, :color)
on conflict (team_id, slug) where deleted_at is null do nothing
returning id, team_id, name, slug, color, created_at;

-- name: find_project(project_id, team_ids)^
select id, team_id, name, slug, color, created_at
from projects
where id = :project_id and team_id = any(:team_ids::uuid[]) and deleted_at is null;

-- name: list_projects(team_ids)
select id, team_id, name, slug, color, created_at
from projects
where team_id = any(:team_ids::uuid[]) and deleted_at is null
order by created_at, id;

-- name: insert_key(id, team_id, created_by, name, key_hash, last4, permissions, expires_at)^
-- No row: the time to expire has passed already.
insert into api_keys (id, team_id, created_by, name, key_hash, last4, permissions, expires_at)
select
    :id::uuid, :team_id::uuid, :created_by::uuid, :name::text, :key_hash::bytea, :last4::text, :permissions::text[],
    :expires_at::timestamptz
where coalesce(:expires_at::timestamptz > clock_timestamp(), true)
returning id, team_id, created_by, name, last4, permissions, created_at, expires_at, revoked_at, last_used_at;

-- name: revoke_key(key_id, team_ids)^
-- A key that was revoked before keeps the time of that.
update api_keys
set revoked_at = coalesce(revoked_at, date_trunc('milliseconds', clock_timestamp()))
where id = :key_id and team_id = any(:team_ids::uuid[])
returning id, team_id, created_by, name, last4, permissions, created_at, expires_at, revoked_at, last_used_at;

-- name: find_key(key_hash)^
-- scope: system (the key says which team)
-- No row: unknown, revoked, expired, or its maker has left the team. A key of the host acts as the team's owner.
select k.id, k.team_id, k.created_by, k.permissions, coalesce(m.role, 'owner') as role
from api_keys as k
left join memberships as m on m.team_id = k.team_id and m.user_id = k.created_by
where
    k.key_hash = :key_hash
    and k.revoked_at is null
    and coalesce(k.expires_at > clock_timestamp(), true)
    and (k.created_by is null or m.role is not null);

-- name: note_keys_used(key_ids)!
-- scope: system (one statement for the keys of all teams)
-- Steps over rows that another process is writing, so that no two can wait for each other; that process notes the same minute.
with due as (
    select id from api_keys
    where id = any(:key_ids::uuid[]) and coalesce(last_used_at < statement_timestamp() - interval '1 minute', true)
    for no key update skip locked
)
update api_keys as k
set last_used_at = date_trunc('milliseconds', statement_timestamp())
from due
where k.id = due.id;
