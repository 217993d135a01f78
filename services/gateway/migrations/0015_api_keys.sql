-- Keys for machines (P6.6: a table and no topic, since what is written there opens doors). Of a key only its hash is kept.
create table api_keys (
    id           uuid primary key,
    hash         bytea not null unique,
    tenant       text not null,
    name         text not null,
    shown        text not null,
    scopes       text[] not null check (cardinality(scopes) > 0),
    created_at   timestamptz not null default clock_timestamp(),
    created_by   text not null,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
) with (fillfactor = 70);
comment on column api_keys.name is 'Whose it is: keys of one name are one caller, so that one can take the place of another.';
comment on column api_keys.shown is 'Its first characters, by which people tell keys apart.';
comment on column api_keys.last_used_at is 'To the minute.';

create index api_keys_tenant on api_keys (tenant, id desc);
