-- The subscribers of a project, as RevenueCat knows them.

create table subscribers (
    id uuid primary key, -- made of the project and the app user's id, which may be too long for an index
    team_id uuid not null references teams (id),
    project_id uuid not null references projects (id),
    app_user_id text not null,
    created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
    last_seen_at timestamptz,
    -- When to ask for it again. 'epoch': it never was, or something has happened since; 'infinity': RevenueCat does not know it.
    due_at timestamptz not null default 'epoch',
    synced_at timestamptz,
    status text,
    active boolean not null default false,
    properties jsonb not null default '{}', -- rc_*, all of them texts
    attributes jsonb not null default '{}',
    entitlements text[] not null default '{}', -- lookup keys of those that are active
    revenue_cents bigint not null default 0,
    -- The id of RevenueCat's own customer, made like `id`. Another one than `id`: this is an alias of that customer.
    canonical uuid not null,
    marks integer not null default 0, -- how often it was said to be due: who reads, and writes later, sees that it was again
    counted boolean not null default true -- false: an alias whose revenue another subscriber has
);

create index subscribers_of_project on subscribers (project_id, created_at, id);
create index subscribers_by_status on subscribers (project_id, status, created_at, id);
create index subscribers_due on subscribers (project_id, due_at, id);
create index subscribers_aliases on subscribers (canonical, id) where canonical <> id;

-- What of it a list is filtered by: a row for each entitlement that is active.
create table subscriber_entitlements (
    subscriber_id uuid not null references subscribers (id) on delete cascade,
    entitlement text not null,
    project_id uuid not null,
    status text,
    created_at timestamptz not null, -- the subscriber's
    primary key (subscriber_id, entitlement)
);

create index subscriber_entitlements_listed on subscriber_entitlements (project_id, entitlement, created_at, subscriber_id);
create index subscriber_entitlements_by_status
on subscriber_entitlements (project_id, entitlement, status, created_at, subscriber_id);

-- What a service has told us: each event counts once, however often it is sent.
create table webhook_events (
    project_id uuid not null,
    provider text not null,
    event_id text not null,
    received_at timestamptz not null default clock_timestamp(),
    primary key (project_id, provider, event_id)
);

create index webhook_events_age on webhook_events (received_at);

-- A subscriber as clients see it.
create function subscriber_json(s subscribers) returns text stable language sql as
$$ select jsonb_build_object(
    'app_user_id', s.app_user_id, 'status', s.status, 'active', s.active, 'entitlements', to_jsonb(s.entitlements),
    'total_revenue_usd_cents', case when s.counted then s.revenue_cents else 0 end,
    'properties', s.properties, 'attributes', s.attributes,
    'created_at', ms(s.created_at), 'last_seen_at', ms(s.last_seen_at), 'synced_at', ms(s.synced_at)
)::text $$;
