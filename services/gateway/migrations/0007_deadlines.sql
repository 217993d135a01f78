-- Under what deadlines are found. What they say stands in `directory`, where all compacted topics are.

create table deadlines (
    tenant     text not null,
    id         text not null,
    place      uuid not null,
    created_at timestamptz not null,
    owner      text,
    assignees  text[] not null,
    is_open    boolean not null,
    is_urgent  boolean not null,
    primary key (tenant, id)
) with (fillfactor = 90);
comment on column deadlines.place is 'Where it stands in lists: the time at which it was first heard of, like a notification''s place.';

create index deadlines_place on deadlines (tenant, place desc);
create index deadlines_owner on deadlines (tenant, owner, place desc);
create index deadlines_assignees on deadlines using gin (assignees);
