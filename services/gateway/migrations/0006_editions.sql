-- The versions of objects of the directory that are changed under If-Match: the next one is taken here before it is
-- published, so that of two changes of one version only one gets through, whichever gateways they meet.

create table editions (
    topic    text not null,
    key      text not null,
    version  integer not null,
    command  uuid not null,
    taken_at timestamptz not null,
    primary key (topic, key)
);
comment on column editions.taken_at is 'A version whose publishing was never heard of holds up nobody for long.';

-- The schedules of a tenant, the newest first.
create index directory_schedules on directory (tenant, ((value::jsonb) -> 'value' ->> 'created_at'), key)
    where topic = 'directory.settings' and value is not null and ((value::jsonb) ->> 'what') = 'schedule';
