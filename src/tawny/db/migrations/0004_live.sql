-- What happens to runs, as it happens.

-- In which transaction an event was written: what comes before the oldest one that is still open is complete. Numbers that were
-- given one by one would not do, since a later one can be committed first.
alter table run_events add column xid xid8 not null default pg_current_xact_id();

create index run_events_of_team on run_events (team_id, xid, run_id, seq) where team_id is not null;

-- An event as listeners see it. Tracebacks are for the timeline.
create function event_json(e run_events) returns text stable language sql as
$$ select
    '{"run_id":"' || e.run_id
    || '","seq":' || e.seq
    || ',"kind":"' || e.kind
    || '","attempt":' || e.attempt
    || ',"at":"' || ms(e.created_at)
    || '","data":' || coalesce((e.data - 'traceback')::text, '{}') || '}'
$$;

create function progress_json(r job_runs) returns text stable language sql as
$$ select
    '{"run_id":"' || r.id
    || '","attempt":' || r.attempt
    || ',"status":"' || r.status
    || '","progress":' || coalesce(r.progress::text, 'null') || '}'
$$;
