-- How people sign in, what they may be invited to, and what everybody did.

-- The one code that is good for an address: a new one takes its place. The code itself is not stored, only its HMAC.
create table sign_in_codes (
    email text primary key, -- in lower case; nobody's address too, so that both are treated alike
    code_hash bytea not null,
    tries integer not null default 0,
    expires_at timestamptz not null
);

create index sign_in_codes_age on sign_in_codes (expires_at);

-- A token names its session, and is good for as long as that is.
create table sessions (
    id uuid primary key,
    user_id uuid not null references users (id),
    created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
    expires_at timestamptz not null,
    idle interval, -- how long it may go unused; null: as long as it lasts
    last_used_at timestamptz not null default date_trunc('milliseconds', clock_timestamp())
);

create index sessions_user on sessions (user_id);
create index sessions_age on sessions (expires_at);

create table invitations (
    id uuid primary key,
    team_id uuid not null references teams (id),
    email text not null, -- in lower case
    role text not null check (role in ('owner', 'admin', 'member')),
    invited_by uuid references users (id), -- null: on the host
    created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
    expires_at timestamptz not null
);

create unique index invitations_email on invitations (email, team_id);
create index invitations_team on invitations (team_id, created_at);

-- How often something may be done (the generic cell rate algorithm): `paid_until` moves on by the price of each time, and what
-- would move it too far ahead of the clock is refused. A row that the clock has passed says nothing and may go.
create table rate_limits (
    subject text primary key,
    paid_until timestamptz not null
);

create index rate_limits_age on rate_limits (paid_until);

-- Credentials of other services. What is secret is encrypted with the project, the provider and the field's name as associated
-- data, so that a ciphertext is worth nothing in another place.
create table integrations (
    id uuid primary key,
    team_id uuid not null references teams (id),
    project_id uuid not null references projects (id),
    provider text not null,
    config jsonb not null,  -- what is not secret; of what is, the first four characters, for people
    secrets jsonb not null, -- field: ciphertext
    enabled boolean not null default true,
    created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
    updated_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
    deleted_at timestamptz
);

create unique index integrations_one on integrations (project_id, provider);

-- Who did what. Every verb that changes something leaves one row, in its own transaction.
create table audit_log (
    id uuid not null default gen_random_uuid(),
    team_id uuid, -- null: of no team, such as signing in
    actor_type text not null check (actor_type in ('user', 'api_key', 'system')),
    actor_id uuid, -- null: the operator on the host
    action text not null check (action in ('create', 'update', 'delete')),
    resource_type text not null,
    resource_id uuid not null,
    changes jsonb,  -- {field: {before, after}}
    metadata jsonb,
    created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
    primary key (resource_id, id)
);

-- Kinds are few, so lists merge them in order, and each of these two bounds every combination of filters that begins with it.
create index audit_log_of_team on audit_log (team_id, resource_type, action, created_at, id) where team_id is not null;
create index audit_log_of_actor on audit_log (team_id, actor_id, resource_type, action, created_at, id) where team_id is not null;

create function keep_audit_log() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log only grows';
end
$$;

create trigger audit_log_grows before update or delete on audit_log for each row execute function keep_audit_log();
create trigger audit_log_is_not_emptied before truncate on audit_log execute function keep_audit_log();

-- An entry as clients see it.
create function audit_json(a audit_log) returns text stable language sql as
$$ select jsonb_build_object(
    'id', a.id, 'team_id', a.team_id, 'actor_type', a.actor_type, 'actor_id', a.actor_id, 'action', a.action,
    'resource_type', a.resource_type, 'resource_id', a.resource_id, 'changes', a.changes, 'metadata', a.metadata,
    'timestamp', ms(a.created_at)
)::text $$;
