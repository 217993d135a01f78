-- The pace that all services keep together (`limits.global`): beside the clock the only thing that they share in the
-- database, since nobody who sends knows what the others do. A row like those of a sender's own schema.
create table shared_paces (
    name text not null,
    unit text not null check (unit in ('second', 'minute', 'day')),
    entries text not null default '[]',
    primary key (name, unit)
) with (fillfactor = 50);
comment on table shared_paces is 'Written only where `limits.global` is set.';
comment on column shared_paces.entries is 'JSON: [until when it may have been handed over (microseconds, by clock()), how many, allowance or null].';

grant select, insert, update on shared_paces to public;
