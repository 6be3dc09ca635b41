-- Who hears of runs, and what they were told.

-- Runs that have ended and of whose end somebody may want to hear. Written by the statement that ends them, so that none is forgotten
-- and none is told of what did not happen; and only where somebody listens, so that all others cost nothing.
create table notices (
    run_id uuid primary key
);

-- Which ends of runs a member wants to be mailed about, where a mail was asked for; all of them without a row.
create table preferences (
    team_id uuid not null references teams (id),
    user_id uuid not null references users (id),
    mail_events text[] not null,
    primary key (team_id, user_id)
);

-- Addresses of other programs that a team's news are posted to.
create table webhooks (
    id uuid primary key,
    team_id uuid not null references teams (id),
    name text not null,
    format text not null check (format in ('json', 'slack')),
    events text[] not null,
    shown_url text not null, -- for people; some urls are secrets themselves, so the whole of it is among them
    secrets jsonb not null,  -- field: ciphertext
    enabled boolean not null default true,
    disabled_because text,
    given_up integer not null default 0, -- deliveries in a row that nobody took
    created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
    updated_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
    deleted_at timestamptz
);

create index webhooks_of_team on webhooks (team_id, created_at, id) where deleted_at is null;
create index webhooks_deleted on webhooks (deleted_at) where deleted_at is not null;

-- One message to one receiver, from when it is due until it was taken or given up, and for a while after that as its own record.
create table deliveries (
    id uuid primary key,
    team_id uuid, -- null: about a system run
    channel text not null check (channel in ('mail', 'webhook')),
    webhook_id uuid references webhooks (id), -- where to; of a mail about a webhook, which one
    run_id uuid, -- null: about a webhook
    event text not null,
    address text, -- of a mail
    status text not null default 'pending' check (status in ('pending', 'delivered', 'failed')),
    tries integer not null default 0, -- begun so far: the fencing token
    trying boolean not null default false, -- one is under way, or was when its process died
    unsure integer not null default 0, -- tries of which nobody knows whether the receiver took the message
    due_at timestamptz not null default clock_timestamp(), -- while one is under way: until when nobody else may begin another
    request text,
    log jsonb not null default '[]', -- an entry for each try that ended, oldest first
    created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
    ended_at timestamptz,
    check ((channel = 'mail') = (address is not null)),
    check ((status = 'pending') = (ended_at is null))
) with (fillfactor = 70);

create index deliveries_due on deliveries (channel, due_at, id) where status = 'pending';
create index deliveries_of_webhook on deliveries (webhook_id, created_at, id);
create index deliveries_age on deliveries (created_at);
