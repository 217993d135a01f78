-- The addresses to which nothing is sent any more, as the directory tells them: asked before each retry (P5.7).
create table suppressed (
    tenant   text not null,
    name     text not null,
    value    text,
    as_of    timestamptz not null,
    "offset" bigint not null,
    primary key (tenant, name)
) with (fillfactor = 80);

comment on table suppressed is 'By the hash of the address. The topic is the truth: only a newer (as_of, offset) replaces a row.';
comment on column suppressed.value is 'The suppression as JSON; null: it was lifted, and is kept so that nothing older comes back.';

create index suppressed_in_force on suppressed (tenant, name) where value is not null;
