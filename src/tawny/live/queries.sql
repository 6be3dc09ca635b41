-- name: horizon()$
-- scope: system (the transactions of all teams)
-- Everything of the transactions before this one can be seen, and nothing will be added to it.
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint;

-- name: new_events(team_ids, xid, run_id, seq, at_most)
-- Events behind a place, of transactions that are over and that none before them is still missing from: ids are given when a
-- transaction begins, so a larger one may be committed first. One row without an event when there is none.
select s.horizon, e.team_id, e.xid, e.run_id, e.seq, e.kind, e.event
from (select pg_snapshot_xmin(pg_current_snapshot()) as horizon) as snapshot
cross join lateral (select snapshot.horizon::text::bigint as horizon) as s
left join lateral (
    select found.*
    from unnest(:team_ids::uuid[]) as asked (team_id)
    cross join lateral (
        select v.team_id, v.xid::text::bigint as xid, v.run_id, v.seq, v.kind, event_json(v) as event
        from run_events as v
        where v.team_id = asked.team_id and (v.xid, v.run_id, v.seq) > (:xid::text::xid8, :run_id, :seq) and v.xid < snapshot.horizon
        order by v.xid, v.run_id, v.seq
        limit :at_most
    ) as found
    order by found.xid, found.run_id, found.seq
    limit :at_most
) as e on true
order by e.xid, e.run_id, e.seq;

-- name: team_events(team_id, xid, run_id, seq, until_xid, until_run_id, until_seq, at_most)
-- What happened between two places.
select v.xid::text::bigint as xid, v.run_id, v.seq, v.kind, event_json(v) as event
from run_events as v
where
    v.team_id = :team_id
    and (v.xid, v.run_id, v.seq) > (:xid::text::xid8, :run_id, :seq)
    and (v.xid, v.run_id, v.seq) <= (:until_xid::text::xid8, :until_run_id, :until_seq)
order by v.xid, v.run_id, v.seq
limit :at_most;

-- name: new_run_events(run_ids, seqs, at_most)
-- scope: system (who listens was let in when they asked)
select v.run_id, v.seq, v.kind, event_json(v) as event
from unnest(:run_ids::uuid[], :seqs::integer[]) as asked (run_id, seq)
cross join lateral (
    select * from run_events as e where e.run_id = asked.run_id and e.seq > asked.seq order by e.seq limit :at_most
) as v
order by v.run_id, v.seq;

-- name: run_events(run_id, seq, until, at_most)
-- scope: system (who listens was let in when they asked)
select v.seq, v.kind, event_json(v) as event
from run_events as v
where v.run_id = :run_id and v.seq > :seq and v.seq <= :until
order by v.seq
limit :at_most;

-- name: run_to_listen_to(run_id, team_ids)^
select last_seq, outcome is not null as ended from job_runs where id = :run_id and team_id = any(:team_ids::uuid[]);

-- name: progress(run_ids, team_ids, at_most)
-- How far the runs are that somebody listens to, and of whole teams those that are under way, the oldest first.
select r.id, r.team_id, progress_json(r) as progress
from job_runs as r
where r.id = any(:run_ids::uuid[]) and r.progress is not null and r.outcome is null
union
select active.id, active.team_id, active.progress
from unnest(:team_ids::uuid[]) as asked (team_id)
cross join lateral (
    select r.id, r.team_id, progress_json(r) as progress
    from job_runs as r
    where r.team_id = asked.team_id and r.outcome is null and r.progress is not null
    order by r.created_at, r.id
    limit :at_most
) as active;
