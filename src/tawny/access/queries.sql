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

-- name: list_members(team_id)
select m.user_id, u.email, m.role, m.created_at as joined_at
from memberships as m join users as u on u.id = m.user_id
where m.team_id = :team_id
order by m.created_at, m.user_id;

-- name: lock_owners(team_id)
select user_id from memberships where team_id = :team_id and role = 'owner' order by user_id for update;

-- name: lock_member(team_id, user_id)^
select m.user_id, u.email, m.role, m.created_at as joined_at
from memberships as m join users as u on u.id = m.user_id
where m.team_id = :team_id and m.user_id = :user_id
for update of m;

-- name: count_owners(team_id)$
select count(*) from memberships where team_id = :team_id and role = 'owner';

-- name: set_role(team_id, user_id, role)!
update memberships set role = :role where team_id = :team_id and user_id = :user_id;

-- name: delete_membership(team_id, user_id)!
-- With it end the keys that they made there, for good: otherwise they would be good again when somebody comes back.
with ended as (
    update api_keys set revoked_at = date_trunc('milliseconds', clock_timestamp())
    where team_id = :team_id and created_by = :user_id and revoked_at is null
)
delete from memberships where team_id = :team_id and user_id = :user_id;

-- name: put_invitation(id, team_id, email, role, invited_by, days)^
-- No row: the address is a member's.
with put as (
    insert into invitations as i (id, team_id, email, role, invited_by, expires_at)
    select :id::uuid, :team_id::uuid, :email::text, :role::text, :invited_by::uuid, clock_timestamp() + make_interval(days => :days)
    where not exists (
        select from memberships as m join users as u on u.id = m.user_id
        where m.team_id = :team_id and lower(u.email) = :email
    )
    on conflict (email, team_id) do update
    set role = excluded.role, invited_by = excluded.invited_by, expires_at = excluded.expires_at
    returning *
)
select put.id, put.team_id, t.name as team_name, put.email, put.role, put.invited_by, put.created_at, put.expires_at
from put join teams as t on t.id = put.team_id;

-- name: invitations_of_team(team_id)
select i.id, i.team_id, t.name as team_name, i.email, i.role, i.invited_by, i.created_at, i.expires_at
from invitations as i join teams as t on t.id = i.team_id
where i.team_id = :team_id and i.expires_at > clock_timestamp()
order by i.created_at, i.id;

-- name: invitations_of_user(user_id)
-- scope: system (to whichever teams)
select i.id, i.team_id, t.name as team_name, i.email, i.role, i.invited_by, i.created_at, i.expires_at
from users as u
join invitations as i on i.email = lower(u.email)
join teams as t on t.id = i.team_id
where u.id = :user_id and i.expires_at > clock_timestamp()
order by i.created_at, i.id;

-- name: delete_invitation(id, team_id)$
delete from invitations where id = :id and team_id = :team_id returning email;

-- name: take_invitation(id, user_id)^
-- scope: system (to whichever team)
delete from invitations as i using users as u
where i.id = :id and u.id = :user_id and i.email = lower(u.email) and i.expires_at > clock_timestamp()
returning i.team_id, i.role;

-- name: take_invitations(user_id, email)
-- scope: system (to whichever teams)
-- Each team's log says who joined: the sign-in that this is a part of is of no team.
with taken as (
    delete from invitations where email = :email and expires_at > clock_timestamp() returning id, team_id, role
),
joined as (
    insert into memberships (team_id, user_id, role)
    select team_id, :user_id::uuid, role from taken
    on conflict (team_id, user_id) do nothing
    returning team_id
),
audited as (
    insert into audit_log (team_id, actor_type, actor_id, action, resource_type, resource_id, metadata)
    select t.team_id, 'user', :user_id::uuid, 'create', 'member', :user_id::uuid,
        jsonb_build_object('role', t.role, 'invitation_id', t.id)
    from taken as t join joined as j on j.team_id = t.team_id
)
select team_id from joined;

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

-- name: lock_project(project_id, team_ids)^
-- FOR UPDATE and nothing weaker: whoever makes a run for the project holds FOR KEY SHARE, and is waited for.
select id, team_id, name, slug, color, created_at
from projects
where id = :project_id and team_id = any(:team_ids::uuid[]) and deleted_at is null
for update;

-- name: list_projects(team_ids)
select id, team_id, name, slug, color, created_at
from projects
where team_id = any(:team_ids::uuid[]) and deleted_at is null
order by created_at, id;

-- name: update_project(project_id, team_id, name, slug)!
update projects set name = :name, slug = :slug where id = :project_id and team_id = :team_id;

-- name: delete_project(project_id, team_id)!
-- The secrets of what it was connected to go with it: nobody could delete them afterwards. Its schedules are due no more.
with disconnected as (
    update integrations
    set deleted_at = date_trunc('milliseconds', clock_timestamp()), secrets = '{}', config = '{}', enabled = false
    where project_id = :project_id and team_id = :team_id and deleted_at is null
),
unscheduled as (
    update schedules
    set deleted_at = date_trunc('milliseconds', clock_timestamp()), next_at = null, look_at = null
    where project_id = :project_id and team_id = :team_id and deleted_at is null
)
update projects set deleted_at = date_trunc('milliseconds', clock_timestamp()) where id = :project_id and team_id = :team_id;

-- name: insert_key(id, team_id, created_by, name, key_hash, last4, permissions, expires_at)^
-- No row: the time to expire has passed already.
insert into api_keys (id, team_id, created_by, name, key_hash, last4, permissions, expires_at)
select
    :id::uuid, :team_id::uuid, :created_by::uuid, :name::text, :key_hash::bytea, :last4::text, :permissions::text[],
    :expires_at::timestamptz
where coalesce(:expires_at::timestamptz > clock_timestamp(), true)
returning id, team_id, created_by, name, last4, permissions, created_at, expires_at, revoked_at, last_used_at;

-- name: list_keys(team_id)
select id, team_id, created_by, name, last4, permissions, created_at, expires_at, revoked_at, last_used_at
from api_keys where team_id = :team_id
order by created_at, id;

-- name: revoke_key(key_id, team_id)^
-- A key that was revoked before keeps the time of that.
with before as (
    select id, revoked_at from api_keys where id = :key_id and team_id = :team_id for update
)
update api_keys as k
set revoked_at = coalesce(k.revoked_at, date_trunc('milliseconds', clock_timestamp()))
from before
where k.id = before.id and k.team_id = :team_id
returning k.id, k.team_id, k.created_by, k.name, k.last4, k.permissions, k.created_at, k.expires_at, k.revoked_at, k.last_used_at,
    before.revoked_at is null as was_good;

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

-- name: note_sessions_used(session_ids)!
-- scope: system (sessions are of no team)
with due as (
    select id from sessions
    where id = any(:session_ids::uuid[]) and last_used_at < statement_timestamp() - interval '1 minute'
    for no key update skip locked
)
update sessions as s
set last_used_at = date_trunc('milliseconds', statement_timestamp())
from due
where s.id = due.id;

-- name: user_of_address(email)$
-- scope: system (users are of no team)
select id from users where lower(email) = :email;

-- name: may_sign_in(email)$
-- scope: system (users are of no team)
-- Whether this is somebody's address, or one that was invited.
select exists (select from users where lower(email) = :email)
    or exists (select from invitations where email = :email and expires_at > clock_timestamp());

-- name: put_code(email, code_hash, minutes)!
-- scope: system (a code is of no team)
insert into sign_in_codes as c (email, code_hash, expires_at)
values (:email, :code_hash, clock_timestamp() + make_interval(mins => :minutes))
on conflict (email) do update set code_hash = excluded.code_hash, expires_at = excluded.expires_at, tries = 0;

-- name: redeem_code(email, code_hash, most_tries)$
-- scope: system (a code is of no team)
-- Counts the try and says whether the code was right; a right one expires with that. No row: none is good for the address.
update sign_in_codes
set tries = tries + 1, expires_at = case when code_hash = :code_hash then '-infinity' else expires_at end
where email = :email and tries < :most_tries and expires_at > clock_timestamp()
returning code_hash = :code_hash;

-- name: insert_session(id, user_id, lifetime, idle)!
-- scope: system (a session is of no team)
insert into sessions (id, user_id, expires_at, idle)
values (:id, :user_id, date_trunc('milliseconds', clock_timestamp() + :lifetime::interval), :idle::interval);

-- name: find_session(session_id, user_id)
-- scope: system (who somebody is comes before which team they ask for)
-- No row: the session is over. One row without a team: a user of no team.
select m.team_id, m.role
from sessions as s
left join memberships as m on m.user_id = s.user_id
where s.id = :session_id and s.user_id = :user_id and s.expires_at > clock_timestamp()
    and coalesce(s.last_used_at + s.idle > clock_timestamp(), true);

-- name: delete_session(id, user_id)$
-- scope: system (a session is of no team)
delete from sessions where id = :id and user_id = :user_id returning id;

-- name: insert_link(token_hash, user_id, lifetime)!
-- scope: system (a sign-in is of no team)
insert into sign_in_links (token_hash, user_id, expires_at)
values (:token_hash, :user_id, clock_timestamp() + :lifetime::interval);

-- name: take_link(token_hash)$
-- scope: system (a sign-in is of no team)
-- The user whose link this is, once. No row: it is unknown, used or too old.
delete from sign_in_links where token_hash = :token_hash and expires_at > clock_timestamp() returning user_id;

-- name: spend(subject, price, ahead)^
-- scope: system (who guesses is of no team)
-- `granted`, or how many seconds to wait. The wait is an estimate: others may have spent meanwhile.
with spent as (
    insert into rate_limits as l (subject, paid_until)
    values (:subject, clock_timestamp() + make_interval(secs => :price))
    on conflict (subject) do update
    set paid_until = greatest(l.paid_until, clock_timestamp()) + make_interval(secs => :price)
    where greatest(l.paid_until, clock_timestamp()) + make_interval(secs => :price)
        <= clock_timestamp() + make_interval(secs => :ahead)
    returning subject
)
select
    exists (select from spent) as granted,
    coalesce(
        (select extract(epoch from l.paid_until - clock_timestamp()) + :price - :ahead from rate_limits as l where l.subject = :subject),
        :price
    )::float8 as wait;

-- name: forget_sign_ins()!
-- scope: system (codes, sessions and limits are of no team)
with codes as (
    delete from sign_in_codes where email in (
        select email from sign_in_codes where expires_at < clock_timestamp() limit 1000 for update skip locked
    )
),
ended as (
    delete from sessions where id in (
        select id from sessions where expires_at < clock_timestamp() limit 1000 for update skip locked
    )
),
stale as (
    delete from invitations where id in (
        select id from invitations where expires_at < clock_timestamp() limit 1000 for update skip locked
    )
),
unused as (
    delete from sign_in_links where token_hash in (
        select token_hash from sign_in_links where expires_at < clock_timestamp() limit 1000 for update skip locked
    )
)
delete from rate_limits where subject in (
    select subject from rate_limits where paid_until < clock_timestamp() limit 1000 for update skip locked
);

-- name: leave_audit(team_id, actor_type, actor_id, action, resource_type, resource_id, changes, metadata)!
-- A team of null: what belongs to none.
insert into audit_log (team_id, actor_type, actor_id, action, resource_type, resource_id, changes, metadata)
values (
    :team_id, :actor_type, :actor_id, :action, :resource_type, :resource_id, :changes::text::jsonb, :metadata::text::jsonb
);

-- name: audit_of_team(team_id, resource_types, actions, since, until, last_id, at_most)
-- Each kind is read from its own part of the index, and they are merged.
select audit_json(a) as entry, ms(a.created_at) || '|' || a.id as cursor
from unnest(:resource_types::text[], :actions::text[]) as kind (resource_type, action)
cross join lateral (
    select * from audit_log as l
    where l.team_id = :team_id and l.resource_type = kind.resource_type and l.action = kind.action
        and (l.created_at, l.id) < (:until, :last_id) and l.created_at >= :since
    order by l.created_at desc, l.id desc
    limit :at_most
) as a
order by a.created_at desc, a.id desc
limit :at_most;

-- name: audit_of_actor(team_id, actor_id, resource_types, actions, since, until, last_id, at_most)
select audit_json(a) as entry, ms(a.created_at) || '|' || a.id as cursor
from unnest(:resource_types::text[], :actions::text[]) as kind (resource_type, action)
cross join lateral (
    select * from audit_log as l
    where l.team_id = :team_id and l.actor_id = :actor_id and l.resource_type = kind.resource_type and l.action = kind.action
        and (l.created_at, l.id) < (:until, :last_id) and l.created_at >= :since
    order by l.created_at desc, l.id desc
    limit :at_most
) as a
order by a.created_at desc, a.id desc
limit :at_most;

-- name: audit_of_resource(team_id, resource_id, actor_id, resource_types, actions, since, until, last_id, at_most)
-- Of one resource there are few.
select audit_json(a) as entry, ms(a.created_at) || '|' || a.id as cursor
from audit_log as a
where a.resource_id = :resource_id and a.team_id = :team_id and a.resource_type = any(:resource_types::text[])
    and a.action = any(:actions::text[]) and a.actor_id is not distinct from coalesce(:actor_id::uuid, a.actor_id)
    and (a.created_at, a.id) < (:until, :last_id) and a.created_at >= :since
order by a.created_at desc, a.id desc
limit :at_most;
