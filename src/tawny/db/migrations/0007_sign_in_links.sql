-- A link that signs somebody in once, in a browser. Only its hash is kept: whoever reads this table cannot use it.
create table sign_in_links (
    token_hash bytea primary key,
    user_id uuid not null references users (id),
    expires_at timestamptz not null
);

create index sign_in_links_age on sign_in_links (expires_at);
