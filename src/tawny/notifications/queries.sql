-- Notices are taken and deliveries claimed by SKIP LOCKED: nobody waits for anybody, and no order has to be kept. A delivery that is
-- under way is guarded by `tries`, as an attempt of a run is: who was taken for dead writes to no row.

-- name: address(at_most, alert_email)$
-- scope: system (couriers serve every team)
-- Turns notices into deliveries, and returns how many it took. A mail goes to whoever triggered the run; for a key that is its maker,
-- and for one that was made on the host the team's owner of longest standing, since that is who such a key acts as.
with taken as (
    delete from notices as n
    using (select run_id from notices order by run_id limit :at_most for update skip locked) as next
    where n.run_id = next.run_id
    returning n.run_id
),
ended as materialized (
    select r.id, r.team_id, r.status, r.notify, r.triggered_by
    from taken
    join job_runs as r on r.id = taken.run_id
),
asked as (
    select e.id, e.team_id, e.status, split_part(e.triggered_by, ':', 3)::uuid as user_id
    from ended as e
    where e.notify and e.triggered_by like 'manual:user:%'
    union all
    select e.id, e.team_id, e.status, coalesce(k.created_by, (
        select m.user_id
        from memberships as m
        where m.team_id = e.team_id and m.role = 'owner'
        order by m.created_at, m.user_id
        limit 1
    ))
    from ended as e
    join api_keys as k on k.id = split_part(e.triggered_by, ':', 3)::uuid and k.team_id = e.team_id
    where e.notify and e.triggered_by like 'manual:api_key:%'
),
mails as (
    insert into deliveries (id, team_id, channel, run_id, event, address)
    select gen_random_uuid(), a.team_id, 'mail', a.id, a.status, u.email
    from asked as a
    join memberships as m on m.team_id = a.team_id and m.user_id = a.user_id
    join users as u on u.id = m.user_id
    left join preferences as p on p.team_id = m.team_id and p.user_id = m.user_id
    where p.user_id is null or a.status = any(p.mail_events)
    union all
    select gen_random_uuid(), null, 'mail', e.id, e.status, :alert_email::text
    from ended as e
    where e.team_id is null and e.status <> 'completed' and :alert_email::text is not null
),
posts as (
    insert into deliveries (id, team_id, channel, webhook_id, run_id, event)
    select gen_random_uuid(), e.team_id, 'webhook', w.id, e.id, e.status
    from ended as e
    join webhooks as w on w.team_id = e.team_id and w.enabled and w.deleted_at is null and e.status = any(w.events)
)
select count(*) from taken;

-- name: claim_deliveries(channel, hold, busy, at_most)
-- scope: system (couriers serve every team)
-- Begins a try of each, which nobody else may for `hold` seconds. One whose last try never ended is counted as unsure: its courier died,
-- and may have delivered. Those wait for one hold after the database was away, because the living could not say so meanwhile.
-- Of one webhook only a few at once, and none of those that are `busy`: one that is slow to answer does not hold up all others.
with waiting as (
    select d.id, d.due_at, row_number() over (partition by coalesce(d.webhook_id, d.id) order by d.due_at, d.id) as nth
    from (
        select w.id, w.webhook_id, w.due_at
        from deliveries as w
        where w.channel = :channel and w.status = 'pending' and w.due_at <= now()
            and (w.webhook_id is null or w.webhook_id <> all(:busy::uuid[]))
            and (not w.trying or pg_postmaster_start_time() + make_interval(secs => :hold) < now())
        order by w.due_at, w.id
        limit 4 * :at_most::bigint + 100
    ) as d
),
due as (
    select d.id
    from waiting
    join deliveries as d on d.id = waiting.id and d.status = 'pending' and d.due_at <= now()
    where waiting.nth <= 4
    order by waiting.due_at, waiting.id
    limit :at_most
    for update of d skip locked
),
claimed as (
    update deliveries as d
    set tries = d.tries + 1, trying = true, unsure = d.unsure + case when d.trying then 1 else 0 end,
        due_at = clock_timestamp() + make_interval(secs => :hold)
    from due
    where d.id = due.id
    returning d.*
)
select
    d.id, d.tries, d.channel, d.team_id, d.event, d.address, d.created_at, d.run_id, d.webhook_id,
    t.name as team_name, p.name as project_name,
    r.job_type, r.status, r.error, r.error_code, r.progress::text, r.result::text, r.started_at, r.completed_at, run_json(r) as run,
    w.name as webhook_name, w.format, w.secrets::text, w.disabled_because, w.enabled and w.deleted_at is null as open
from claimed as d
left join job_runs as r on r.id = d.run_id
left join projects as p on p.id = r.project_id
left join teams as t on t.id = d.team_id
left join webhooks as w on w.id = d.webhook_id;

-- name: keep_deliveries(ids, tries, hold)
-- scope: system (guarded by the try that only its own courier has begun)
-- Those that are returned are still in these hands.
update deliveries as d
set due_at = clock_timestamp() + make_interval(secs => :hold)
from unnest(:ids::uuid[], :tries::integer[]) as h (id, tries)
where d.id = h.id and d.tries = h.tries and d.trying
returning d.id;

-- name: end_try(id, tries, status, delay, unsure, entry, request)$
-- scope: system (guarded by the try that only its own courier has begun)
-- No row: another try has begun, since this one was taken for dead.
update deliveries
set status = :status::text, trying = false, unsure = unsure + :unsure::integer,
    due_at = clock_timestamp() + make_interval(secs => :delay),
    request = coalesce(:request::text, request),
    log = case when jsonb_array_length(log) < 20 then log else log - 0 end || :entry::text::jsonb,
    ended_at = case when :status::text <> 'pending' then date_trunc('milliseconds', clock_timestamp()) end
where id = :id and tries = :tries and trying
returning id;

-- name: find_preferences(team_id, user_id)$
select mail_events from preferences where team_id = :team_id and user_id = :user_id;

-- name: set_preferences(team_id, user_id, mail_events)!
insert into preferences (team_id, user_id, mail_events)
values (:team_id, :user_id, :mail_events)
on conflict (team_id, user_id) do update set mail_events = excluded.mail_events;

-- name: forget_deliveries(days, at_most)$
-- scope: system (deliveries of all teams grow old)
with old as materialized (
    select id
    from deliveries
    where created_at < now() - make_interval(days => :days) and status <> 'pending'
    order by created_at
    limit :at_most
    for update skip locked
),
forgotten as (
    delete from deliveries as d using old where d.id = old.id returning d.id
)
select count(*) from forgotten;
