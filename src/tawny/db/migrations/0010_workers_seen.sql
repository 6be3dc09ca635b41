-- What a worker tells of itself at each beat, for the people who look at it.
alter table workers
add column seen_at timestamptz not null default clock_timestamp(), -- its last beat
add column memory_bytes bigint, -- resident; null where the system does not say
add column draining boolean not null default false; -- it claims nothing any more
