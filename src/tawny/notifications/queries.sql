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
    t.name as team_name, t.slug as team_slug, p.name as project_name,
    r.job_type, r.status, r.error, r.error_code, r.progress::text, r.result::text, r.started_at, r.completed_at, run_json(r) as run,
    w.name as webhook_name, w.format, w.disabled_because, w.enabled and w.deleted_at is null as open,
    (case when w.old_secret_until > now() then w.secrets else w.secrets - 'old_secret' end)::text as secrets
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
with ended as (
    update deliveries
    set status = :status::text, trying = false, unsure = unsure + :unsure::integer,
        due_at = clock_timestamp() + make_interval(secs => :delay),
        request = coalesce(:request::text, request),
        log = case when jsonb_array_length(log) < 20 then log else log - 0 end || :entry::text::jsonb,
        ended_at = case when :status::text <> 'pending' then date_trunc('milliseconds', clock_timestamp()) end
    where id = :id and tries = :tries and trying
    returning id, channel, case status when 'delivered' then 'delivered' when 'failed' then 'given_up' else 'not_taken' end as outcome
),
counted as (
    insert into delivery_totals as t (shard, channel, outcome, tries)
    select my_shard(), channel, outcome, 1 from ended
    on conflict (shard, channel, outcome) do update set tries = t.tries + 1
)
select id from ended;

-- name: totals()
-- scope: system (the operator's numbers, which name no team)
select c.channel, o.outcome, coalesce(sum(t.tries), 0)::bigint as tries
from (values ('mail'), ('webhook')) as c (channel)
cross join (values ('delivered'), ('given_up'), ('not_taken')) as o (outcome)
left join delivery_totals as t on t.channel = c.channel and t.outcome = o.outcome
group by c.channel, o.outcome
order by c.channel, o.outcome;

-- name: waiting(most)
-- scope: system (the operator's numbers, which name no team)
-- Looks at so many messages of each channel at most, those that are due next.
select c.channel, w.waiting, w.oldest_seconds
from (values ('mail'), ('webhook')) as c (channel)
cross join lateral (
    select count(*) as waiting, coalesce(extract(epoch from clock_timestamp() - min(d.created_at)), 0)::float8 as oldest_seconds
    from (
        select p.created_at from deliveries as p
        where p.channel = c.channel and p.status = 'pending'
        order by p.due_at, p.id
        limit :most
    ) as d
) as w;

-- name: last_refusals(most)
-- scope: system (the operator is told why messages wait)
-- Of the messages that are due next, so many of each channel: what came of the try that ended last.
select c.channel, r.entry ->> 'at' as at, r.entry ->> 'error' as error, (r.entry ->> 'status')::integer as status
from (values ('mail'), ('webhook')) as c (channel)
cross join lateral (
    select d.entry
    from (
        select p.log -> -1 as entry from deliveries as p
        where p.channel = c.channel and p.status = 'pending'
        order by p.due_at, p.id
        limit :most
    ) as d
    where d.entry is not null
    order by d.entry ->> 'at' desc
    limit 1
) as r;

-- name: find_preferences(team_id, user_id)$
select mail_events from preferences where team_id = :team_id and user_id = :user_id;

-- name: set_preferences(team_id, user_id, mail_events)!
insert into preferences (team_id, user_id, mail_events)
values (:team_id, :user_id, :mail_events)
on conflict (team_id, user_id) do update set mail_events = excluded.mail_events;

-- name: insert_webhook(id, team_id, name, format, events, shown_url, secrets)^
insert into webhooks (id, team_id, name, format, events, shown_url, secrets)
values (:id, :team_id, :name, :format, :events, :shown_url, :secrets::text::jsonb)
returning id, team_id, name, format, events, shown_url, enabled, disabled_because, old_secret_until, created_at, updated_at;

-- name: count_webhooks(team_id)$
select count(*) from webhooks where team_id = :team_id and deleted_at is null;

-- name: list_webhooks(team_id)
select id, team_id, name, format, events, shown_url, enabled, disabled_because, old_secret_until, created_at, updated_at
from webhooks
where team_id = :team_id and deleted_at is null
order by created_at, id;

-- name: find_webhook(id, team_id)^
select id, team_id, name, format, events, shown_url, enabled, disabled_because, old_secret_until, created_at, updated_at
from webhooks
where id = :id and team_id = :team_id and deleted_at is null;

-- name: lock_webhook(id, team_id)^
select name, events, shown_url, secrets::text, enabled
from webhooks
where id = :id and team_id = :team_id and deleted_at is null
for update;

-- name: update_webhook(id, team_id, name, events, shown_url, secrets, enabled)^
-- One that is enabled begins with a clean sheet.
update webhooks
set name = :name, events = :events, shown_url = :shown_url, secrets = :secrets::text::jsonb, enabled = :enabled::boolean,
    disabled_because = case when not :enabled::boolean then disabled_because end,
    given_up = case when :enabled::boolean and not enabled then 0 else given_up end,
    updated_at = date_trunc('milliseconds', clock_timestamp())
where id = :id and team_id = :team_id
returning id, team_id, name, format, events, shown_url, enabled, disabled_because, old_secret_until, created_at, updated_at;

-- name: replace_secret(id, team_id, secrets, hours)^
update webhooks
set secrets = :secrets::text::jsonb, updated_at = date_trunc('milliseconds', clock_timestamp()),
    old_secret_until = case
        when :hours::integer > 0 then date_trunc('milliseconds', clock_timestamp()) + make_interval(hours => :hours::integer)
    end
where id = :id and team_id = :team_id
returning id, team_id, name, format, events, shown_url, enabled, disabled_because, old_secret_until, created_at, updated_at;

-- name: delete_webhook(id, team_id)!
-- Its secrets go at once; the row stays as long as deliveries name it.
update webhooks
set deleted_at = date_trunc('milliseconds', clock_timestamp()), secrets = '{}', enabled = false
where id = :id and team_id = :team_id;

-- name: webhook_took(id)!
-- scope: system (couriers serve every team)
update webhooks set given_up = 0 where id = :id and given_up > 0;

-- name: webhook_gave_up(id, at_most, because)$
-- scope: system (couriers serve every team)
-- One more message in a row was given up. At the last one that is put up with, it is disabled, and the admins of its team get a mail.
-- True: it was disabled now.
with before as (
    select id, enabled from webhooks where id = :id and deleted_at is null for update
),
counted as (
    update webhooks as w
    set given_up = w.given_up + 1,
        enabled = w.enabled and w.given_up + 1 < :at_most::integer,
        disabled_because = case
            when before.enabled and w.given_up + 1 >= :at_most::integer then :because::text else w.disabled_because
        end
    from before
    where w.id = before.id
    returning w.id, w.team_id, before.enabled and not w.enabled as disabled
),
mails as (
    insert into deliveries (id, team_id, channel, webhook_id, event, address)
    select gen_random_uuid(), c.team_id, 'mail', c.id, 'webhook_disabled', u.email
    from counted as c
    join memberships as m on m.team_id = c.team_id and m.role in ('owner', 'admin')
    join users as u on u.id = m.user_id
    where c.disabled
)
select disabled from counted;

-- name: insert_test(id, team_id, webhook_id)^
insert into deliveries (id, team_id, channel, webhook_id, event)
values (:id, :team_id, 'webhook', :webhook_id, 'test')
returning id, webhook_id, run_id, event, status, tries, due_at, created_at, ended_at;

-- name: list_deliveries(webhook_id, team_id, before, last_id, at_most)
select id, webhook_id, run_id, event, status, tries, due_at, created_at, ended_at, ms(created_at) || '|' || id as cursor
from deliveries
where webhook_id = :webhook_id and team_id = :team_id and channel = 'webhook' and (created_at, id) < (:before, :last_id)
order by created_at desc, id desc
limit :at_most;

-- name: find_delivery(id, webhook_id, team_id)^
select id, webhook_id, run_id, event, status, tries, due_at, created_at, ended_at, request, log::text
from deliveries
where id = :id and webhook_id = :webhook_id and team_id = :team_id and channel = 'webhook';

-- name: redeliver(id, webhook_id, team_id)^
-- No row: it is due already, or not there.
update deliveries
set status = 'pending', ended_at = null, due_at = clock_timestamp()
where id = :id and webhook_id = :webhook_id and team_id = :team_id and channel = 'webhook' and status <> 'pending'
returning id, webhook_id, run_id, event, status, tries, due_at, created_at, ended_at;

-- name: next_webhook_secrets(after, at_most)
-- scope: system (the operator changes the keys of all teams)
select id, team_id, secrets::text from webhooks where id > :after and deleted_at is null order by id limit :at_most for update;

-- name: replace_webhook_secrets(ids, secrets)!
-- scope: system (the operator changes the keys of all teams)
update webhooks as w
set secrets = new.secrets::jsonb
from unnest(:ids::uuid[], :secrets::text[]) as new (id, secrets)
where w.id = new.id;

-- name: count_unreadable_webhooks(key_ids, at_most)
-- scope: system (the operator is told which keys are missing)
select split_part(sealed.text, '.', 2) as key_id, count(distinct stored.id) as webhooks
from
    (select w.id, w.secrets from webhooks as w where w.deleted_at is null limit :at_most) as stored,
    jsonb_each_text(stored.secrets) as sealed (field, text)
where split_part(sealed.text, '.', 2) <> all(:key_ids::text[])
group by key_id
order by key_id;

-- name: forget_old_secrets(at_most)!
-- scope: system (webhooks of all teams)
update webhooks
set secrets = secrets - 'old_secret', old_secret_until = null
where id in (select w.id from webhooks as w where w.old_secret_until <= now() limit :at_most for update skip locked);

-- name: forget_webhooks(days, at_most)!
-- scope: system (webhooks that teams have deleted)
delete from webhooks
where id in (
    select w.id
    from webhooks as w
    where w.deleted_at < now() - make_interval(days => :days) and not exists (select from deliveries as d where d.webhook_id = w.id)
    limit :at_most
);

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
