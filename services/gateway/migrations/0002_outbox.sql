-- What REST accepted and the judge has not answered yet, and what the gateway asks the judge again (P6.1).

create table outbox (
    id           uuid not null,
    command      uuid not null,
    kind         text not null check (kind in ('request', 'cancel', 'move', 'group', 'inbox')),
    tenant       text not null,
    owner        text,
    edit         bigint not null default 0,
    topic        text not null,
    event        text,
    accepted_at  timestamptz not null,
    published_at timestamptz,
    next_at      timestamptz not null,
    repeats      smallint not null default 0,
    primary key (id, command),
    check ((event is null) = (kind = 'request'))
) with (autovacuum_vacuum_scale_factor = 0.01);
comment on table outbox is 'A row ends with the judge''s answer, not with Kafka''s acknowledgement.';
comment on column outbox.command is 'The notification''s own id for a request: it is one command among others.';
comment on column outbox.event is 'Null for a request: its row in notifications says all of it.';
comment on column outbox.next_at is 'When a sweep may look at it: until then somebody is at work on it, or it had better wait.';

create index outbox_next on outbox (next_at);

create table asks (
    id      uuid primary key,
    repeats smallint not null default 0,
    next_at timestamptz not null
);
comment on table asks is 'Open notifications whose end the gateway may have missed: intake is asked to say it again.';

create index asks_next on asks (next_at);

create table judged_hours (
    hour       timestamptz primary key,
    accepted   bigint not null,
    final      bigint not null,
    at         timestamptz not null,
    difference text,
    since      timestamptz,
    repeats    smallint not null default 0,
    next_at    timestamptz not null default clock_timestamp()
);
comment on table judged_hours is 'What intake counts per hour of acceptance; where `hours` differs for long, the hour is said again (P9).';
comment on column judged_hours.at is 'When intake said so; while the two differ, when it said so last.';
comment on column judged_hours.difference is 'Their counts and ours, since `since`; null: they agree.';
