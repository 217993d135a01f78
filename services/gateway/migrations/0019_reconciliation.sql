-- What REST accepted and how much of it was answered, counted beside the outbox: a row that vanishes from there shows (P9).
create table asked_hours (
    hour     timestamptz not null,
    slot     smallint not null,
    asked    bigint not null default 0,
    answered bigint not null default 0,
    primary key (hour, slot)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);
comment on table asked_hours is 'Requests kept in the outbox per hour of acceptance, and taken out of it by an answer; the rest must be there.';
comment on column asked_hours.slot is 'By connection: those who count side by side do not wait for each other.';

insert into asked_hours (hour, slot, asked)
select date_bin('1 hour', accepted_at, 'epoch'), 0, count(*) from outbox where kind = 'request' group by 1;

create table losses (
    part      text primary key check (part in ('outbox', 'between', 'judge')),
    lost      bigint not null,
    uncounted bigint not null,
    at        timestamptz not null default clock_timestamp()
);
comment on table losses is 'Notifications that nobody accounts for, by who sees it: our outbox, our hours beside intake''s, intake itself.';
comment on column losses.uncounted is 'How many of them are not even among those that we count as accepted.';
