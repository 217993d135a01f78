-- The one clock that planned instants, retries and expiry go by: the database's, so that the clocks of the services'
-- hosts decide nothing. Leases, `since` and pauses go by clock_timestamp() instead.

create table clock_offset (
    only_row boolean primary key default true check (only_row),
    by interval not null default interval '0'
);
comment on table clock_offset is 'How far tests have moved the clock; zero everywhere else.';

insert into clock_offset default values;

-- statement_timestamp(), not now(): a firing that waited inside its transaction must not read an old time.
create function clock() returns timestamptz
    language sql stable parallel safe
    begin atomic
        select statement_timestamp() + clock_offset.by from clock_offset;
    end;
