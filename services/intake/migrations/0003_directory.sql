-- The compacted topics as intake knows them. The topics are the truth: only a newer (as_of, offset) replaces a row.

create table people (
    tenant    text not null,
    user_id   text not null,
    email     text,
    phone     text,
    locale    text,
    time_zone text,
    gone      boolean not null,
    as_of     timestamptz not null,
    "offset"  bigint not null,
    primary key (tenant, user_id)
) with (fillfactor = 80);
comment on column people.gone is 'Forgotten: kept without any data, so that nothing older comes back.';
comment on column people.as_of is 'When it was first published: its LogAppendTime, or the header of a projection published again (P9).';

create table objects (
    kind     text not null,
    tenant   text not null,
    name     text not null,
    value    text,
    gone     boolean not null,
    as_of    timestamptz not null,
    "offset" bigint not null,
    primary key (kind, tenant, name)
);
comment on table objects is 'Templates, preferences, suppressions and budgets, as JSON. A template''s name ("welcome") holds {"current": 3}; its version "welcome@3" holds the texts.';
comment on column objects.gone is 'Not for new notifications; the texts of a version stay for those that were judged with it.';
