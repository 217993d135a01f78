-- The compacted topics as the gateway knows them: people, preferences, settings, deadlines. The topics are the truth.

create table directory (
    topic      text not null,
    key        text not null,
    tenant     text not null,
    value      text,
    as_of      timestamptz not null,
    "offset"   bigint not null,
    command    uuid,
    primary key (topic, key)
);
comment on column directory.key is 'Kafka''s own key, which begins with the tenant.';
comment on column directory.value is 'The event as JSON; null: a tombstone, kept so that nothing older comes back.';
comment on column directory.as_of is 'When it was first published; only a newer (as_of, offset) replaces it (P1, P9).';

create table renewals (
    topic      text primary key,
    noticed_at timestamptz not null default clock_timestamp(),
    done_to    text not null default ''
);
comment on table renewals is 'Directory topics that were made anew: their projection is published again, key by key (P9).';
