-- A webhook whose secret was changed signs with the old one too, until its receivers know the new one.
alter table webhooks add column old_secret_until timestamptz; -- among the secrets there is `old_secret` then
