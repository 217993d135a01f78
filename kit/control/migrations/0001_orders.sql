-- What ops.control asked of this service, written down before it is done: whichever instance is there does it, once.
create table orders (
    correlation_id uuid primary key,
    command text not null,
    args text not null,
    ordered_at timestamptz not null,
    token uuid,
    instance text,
    taken_until timestamptz,
    tries smallint not null default 0,
    state text check (state in ('done', 'failed')),
    result text,
    ended_at timestamptz,
    unannounced boolean not null default false,
    check ((state is null) = (ended_at is null)),
    check ((state is null) = (result is null))
);
comment on table orders is 'Kept for longer than Kafka keeps the topic, so that one that is read again is not run again.';
comment on column orders.args is 'JSON.';
comment on column orders.taken_until is 'Until then, by clock_timestamp(), somebody runs it (token) or it had better wait.';
comment on column orders.unannounced is 'Ended, and Kafka has not acknowledged the answer yet.';

create index orders_open on orders (ordered_at) where state is null;
create index orders_unannounced on orders (ended_at) where unannounced;

create table switches (
    kind text not null check (kind in ('provider', 'channel')),
    name text not null,
    paused boolean not null,
    as_of timestamptz not null,
    "offset" bigint not null,
    primary key (kind, name)
);
comment on table switches is 'What was paused or resumed by hand; every instance looks each second, so that none forgets it over a restart.';
comment on column switches.as_of is 'When it was said; only a newer (as_of, offset) replaces it.';
