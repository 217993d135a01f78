-- A row per schedule with the instant at which it fires next (P4.4); beside it, for a while, the version it replaced,
-- which still has the instants up to the edit, and runs that somebody asked for now.
create table schedules (
    number bigint generated always as identity primary key,
    tenant text not null,
    id text not null,
    as_of timestamptz not null,
    place bigint not null,
    value text,
    after timestamptz,
    next_at timestamptz,
    fire_after timestamptz,
    caught_up_to timestamptz,
    until timestamptz,
    run uuid unique,
    failures smallint not null default 0,
    tzdata text not null,
    check ((next_at is null) = (fire_after is null)),
    check (run is null or until is not null)
);

comment on column schedules.as_of is 'With place (the offset): only a newer version replaces this one (P1, P9).';
comment on column schedules.value is 'The schedule as JSON; null: it is gone, kept so that nothing older comes back.';
comment on column schedules.after is 'next_at was computed as the first instant after this one.';
comment on column schedules.fire_after is 'next_at, or later when Kafka did not acknowledge the last firing.';
comment on column schedules.caught_up_to is 'What was missed up to here is decided: next_at up to here fires.';
comment on column schedules.until is 'The version was replaced at this time, and fires nothing later; null: in force.';
comment on column schedules.run is 'One firing now, by the command of this id.';
comment on column schedules.tzdata is 'The zone data by which next_at was computed; other data compute it again.';

create unique index schedules_in_force on schedules (tenant, id) where until is null;
create index schedules_fire_after on schedules (fire_after) where fire_after is not null;
