-- How many messages were brought how, for `/metrics`: counted by the statement that ends a try, so that the numbers are exact.
create table delivery_totals (
    shard smallint not null, -- as in run_totals
    channel text not null check (channel in ('mail', 'webhook')),
    outcome text not null check (outcome in ('delivered', 'given_up', 'not_taken')), -- not_taken: and tried again
    tries bigint not null,
    primary key (shard, channel, outcome)
) with (fillfactor = 20);
