-- One row per thing that has a time (P4.1). Made for ten million of them: narrow, the wide columns first so that
-- nothing is padded, what is sent later kept elsewhere.
create table timers (
    fire_after timestamptz not null,
    planned_at timestamptz not null,
    id uuid primary key,
    round integer not null,
    try smallint not null,
    failures smallint not null,
    ends boolean not null,
    kind text not null check (kind in ('ripe', 'due')),
    lane text not null check (lane in ('urgent', 'normal', 'bulk')),
    tenant text not null,
    check (kind = 'due' or (try = 0 and not ends))
) with (
    -- Whoever is armed again at the same instant finds room beside itself.
    fillfactor = 90,
    -- Every row is deleted soon: the dead ones must not gather at the front of the index.
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.02
);

comment on column timers.fire_after is 'Not before this instant by tocsin.clock(); grows when a firing fails.';
comment on column timers.planned_at is 'The instant that was asked for: what lateness is counted from.';
comment on column timers.try is '0 for one that waits for its instant (ripe), else the try of its due.';
comment on column timers.failures is 'Firings in a row that Kafka did not acknowledge.';
comment on column timers.ends is 'Its due says that the notification is to end (P4.3).';

create index timers_fire_after on timers (fire_after);

-- What a retry will say, as it came. A timer that waits has none: address, template and preferences are those of
-- the day it is sent.
create table bodies (
    id uuid primary key,
    retry bytea not null
) with (
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 1000,
    toast.autovacuum_vacuum_scale_factor = 0.01
);
