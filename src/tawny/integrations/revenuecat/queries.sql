-- Who locks several subscribers does so by id.

-- name: put_discovered(team_id, project_id, ids, app_user_ids, last_seen)$
-- How many of them are new. One that was seen since, or has come back, is due.
with put as (
    insert into subscribers as s (id, team_id, project_id, app_user_id, last_seen_at, canonical)
    select d.id, :team_id, :project_id, d.app_user_id, d.last_seen_at, d.id
    from unnest(:ids::uuid[], :app_user_ids::text[], :last_seen::timestamptz[]) as d (id, app_user_id, last_seen_at)
    order by d.id
    on conflict (id) do update
    set last_seen_at = excluded.last_seen_at, due_at = 'epoch', marks = s.marks + 1
    where s.due_at = 'infinity' or s.last_seen_at is distinct from excluded.last_seen_at
    returning (xmax = 0) as made
)
select count(*) filter (where made) from put;

-- name: count_known(team_id, project_id)$
select count(*) from subscribers where team_id = :team_id and project_id = :project_id and due_at < 'infinity';

-- name: begin_detail(team_id, project_id)^
-- This moment, how many there are, and how many of them are due.
select n.moment, n.total, n.due
from (
    select
        statement_timestamp() as moment,
        count(*) filter (where due_at < 'infinity') as total,
        count(*) filter (where due_at <= statement_timestamp()) as due
    from subscribers
    where team_id = :team_id and project_id = :project_id and created_at <= statement_timestamp()
) as n;

-- name: next_due(team_id, project_id, moment, after_due, after_id, at_most)
select id, app_user_id, due_at, marks
from subscribers
where team_id = :team_id and project_id = :project_id and due_at <= :moment and created_at <= :moment
    and (due_at, id) > (:after_due::timestamptz, :after_id::uuid)
order by due_at, id
limit :at_most;

-- name: next_all(team_id, project_id, moment, after_id, at_most)
select id, app_user_id, due_at, marks
from subscribers
where team_id = :team_id and project_id = :project_id and due_at < 'infinity' and created_at <= :moment and id > :after_id
order by id
limit :at_most;

-- name: write_known(team_id, project_id, batch)
-- Replaces what is known of those that are still there, and returns their ids.
with known as (
    select * from jsonb_to_recordset(:batch::text::jsonb) as k (
        id uuid, canonical uuid, status text, active boolean, properties jsonb, attributes jsonb, entitlements text[],
        revenue_cents bigint, last_seen_at timestamptz, due_at timestamptz, marks integer
    )
),
held as (
    select s.id from subscribers as s join known as k on k.id = s.id
    where s.team_id = :team_id and s.project_id = :project_id
    order by s.id
    for update of s
),
written as (
    update subscribers as s
    set status = k.status, active = k.active, properties = k.properties, attributes = k.attributes,
        entitlements = k.entitlements, revenue_cents = k.revenue_cents, canonical = k.canonical,
        counted = k.canonical = k.id or s.counted, last_seen_at = coalesce(k.last_seen_at, s.last_seen_at),
        due_at = case when s.marks = k.marks then k.due_at else 'epoch' end,
        synced_at = date_trunc('milliseconds', clock_timestamp())
    from known as k, held
    where s.id = held.id and k.id = held.id
    returning s.id, s.created_at
),
dropped as (
    delete from subscriber_entitlements as e
    using written as w, known as k
    where e.subscriber_id = w.id and k.id = w.id and e.entitlement <> all(k.entitlements)
),
listed as (
    insert into subscriber_entitlements (subscriber_id, entitlement, project_id, status, created_at)
    select w.id, e.entitlement, :project_id, k.status, w.created_at
    from written as w, known as k, unnest(k.entitlements) as e (entitlement)
    where k.id = w.id
    order by w.id, e.entitlement
    on conflict (subscriber_id, entitlement) do update set status = excluded.status
)
select id from written;

-- name: settle_aliases(team_id, project_id, canonicals)!
-- The revenue of a customer counts once: where the customer itself is a subscriber, there, else with the first of its aliases.
with aliases as (
    select s.id, s.canonical from subscribers as s
    where s.canonical = any(:canonicals::uuid[]) and s.canonical <> s.id
        and s.team_id = :team_id and s.project_id = :project_id
    order by s.id
    for update
),
ranked as (
    select
        a.id,
        row_number() over (partition by a.canonical order by a.id) = 1
        and not exists (select from subscribers as c where c.id = a.canonical) as counted
    from aliases as a
)
update subscribers as s set counted = r.counted from ranked as r where s.id = r.id and s.counted <> r.counted;

-- name: write_gone(team_id, project_id, ids)
-- RevenueCat does not know them any more: nothing is left of what it said.
with held as (
    select id from subscribers where id = any(:ids::uuid[]) and team_id = :team_id and project_id = :project_id
    order by id
    for update
),
dropped as (
    delete from subscriber_entitlements as e using held where e.subscriber_id = held.id
)
update subscribers as s
set due_at = 'infinity', synced_at = date_trunc('milliseconds', clock_timestamp()), status = null, active = false,
    properties = '{}', attributes = '{}', entitlements = '{}', revenue_cents = 0
from held
where s.id = held.id
returning s.id;

-- name: marks_of(team_id, project_id, id)$
select marks from subscribers where id = :id and team_id = :team_id and project_id = :project_id;

-- name: ensure_subscriber(team_id, project_id, id, app_user_id)!
insert into subscribers (id, team_id, project_id, app_user_id, canonical)
values (:id, :team_id, :project_id, :app_user_id, :id)
on conflict (id) do nothing;

-- name: mark_due(team_id, project_id, ids)
-- Something has happened to them; whoever is being asked for at this moment stays due afterwards.
with held as (
    select id from subscribers where id = any(:ids::uuid[]) and team_id = :team_id and project_id = :project_id
    order by id
    for update
)
update subscribers as s set due_at = 'epoch', marks = s.marks + 1 from held where s.id = held.id
returning s.id;

-- name: put_event(project_id, provider, event_id)$
-- scope: system (the service has shown the secret of this very project)
-- The id, if it is new.
insert into webhook_events (project_id, provider, event_id) values (:project_id, :provider, :event_id)
on conflict (project_id, provider, event_id) do nothing
returning event_id;

-- name: page(team_id, project_id, before, before_id, at_most)
select subscriber_json(s) as subscriber, ms(s.created_at) || '|' || s.id as cursor
from subscribers as s
where s.team_id = :team_id and s.project_id = :project_id and (s.created_at, s.id) < (:before::timestamptz, :before_id::uuid)
order by s.created_at desc, s.id desc
limit :at_most;

-- name: page_by_status(team_id, project_id, status, before, before_id, at_most)
select subscriber_json(s) as subscriber, ms(s.created_at) || '|' || s.id as cursor
from subscribers as s
where s.team_id = :team_id and s.project_id = :project_id and s.status = :status
    and (s.created_at, s.id) < (:before::timestamptz, :before_id::uuid)
order by s.created_at desc, s.id desc
limit :at_most;

-- name: page_by_entitlement(team_id, project_id, entitlement, before, before_id, at_most)
select subscriber_json(s) as subscriber, ms(s.created_at) || '|' || s.id as cursor
from (
    select e.subscriber_id, e.created_at from subscriber_entitlements as e
    where e.project_id = :project_id and e.entitlement = :entitlement
        and (e.created_at, e.subscriber_id) < (:before::timestamptz, :before_id::uuid)
    order by e.created_at desc, e.subscriber_id desc
    limit :at_most
) as e
join subscribers as s on s.id = e.subscriber_id and s.team_id = :team_id
order by s.created_at desc, s.id desc;

-- name: page_by_both(team_id, project_id, status, entitlement, before, before_id, at_most)
select subscriber_json(s) as subscriber, ms(s.created_at) || '|' || s.id as cursor
from (
    select e.subscriber_id, e.created_at from subscriber_entitlements as e
    where e.project_id = :project_id and e.entitlement = :entitlement and e.status = :status
        and (e.created_at, e.subscriber_id) < (:before::timestamptz, :before_id::uuid)
    order by e.created_at desc, e.subscriber_id desc
    limit :at_most
) as e
join subscribers as s on s.id = e.subscriber_id and s.team_id = :team_id
order by s.created_at desc, s.id desc;
