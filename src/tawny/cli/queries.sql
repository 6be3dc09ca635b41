-- name: take_turn()!
-- scope: system (servers that start at once on one empty database make one first team, not one each)
select pg_advisory_xact_lock(hashtext('tawny first start'));

-- name: any_team()$
-- scope: system (asks for no team's data)
select exists (select from teams);
