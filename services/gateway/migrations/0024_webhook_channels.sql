-- A webhook may be told of some channels only.
alter table webhooks add column channels text[] check (cardinality(channels) > 0);
comment on column webhooks.channels is 'What it is told of; null: of all.';
