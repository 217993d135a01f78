-- What was handed to a provider lately, and what its senders have been allowed and have not told of yet: the one book
-- that all of them keep a pace by. A row's lock is held for the time of two statements.
create table paces (
    name text not null,
    unit text not null check (unit in ('second', 'minute', 'day')),
    entries text not null default '[]',
    primary key (name, unit)
) with (fillfactor = 50);
comment on table paces is 'One row per provider and unit that has a limit.';
comment on column paces.entries is 'JSON: [until when it may have been handed over (microseconds, by clock()), how many, allowance or null].';
