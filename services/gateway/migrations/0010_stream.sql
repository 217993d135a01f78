-- Real time: what a person's stream holds beside the entries themselves, and who may open one (P6.4).

create table stream_epoch (
    one   boolean primary key default true check (one),
    epoch uuid not null default gen_random_uuid()
);
insert into stream_epoch default values;
comment on table stream_epoch is
    'Offsets mean something within one epoch only. After a restore from a backup: update stream_epoch set epoch = gen_random_uuid().';

create table inbox_changes (
    tenant   text not null,
    user_id  text not null,
    "offset" bigint not null,
    id       uuid not null,
    change   text not null check (change in ('read', 'archived', 'recalled', 'updated')),
    at       timestamptz not null,
    primary key (tenant, user_id, "offset")
);
create index inbox_changes_at on inbox_changes using brin (at);
comment on table inbox_changes is
    'What became of the entries of an inbox: the steps of a person''s stream that are no entries. Insert-only, kept for some days.';

alter table people add column trimmed bigint not null default 0;
comment on column people.trimmed is 'Of the steps up to this offset some are not kept any more: nobody can go on from before it.';

create unlogged table tickets (
    hash       bytea primary key,
    tenant     text not null,
    user_id    text not null,
    expires_at timestamptz not null,
    until      timestamptz
);
create index tickets_expiry on tickets (expires_at);
comment on table tickets is
    'Who may open a stream within the next seconds, once. One that is lost with a crash is taken anew.';
comment on column tickets.hash is 'SHA-256: who reads this table can open nothing.';
comment on column tickets.until is 'When the token behind it expires, and with it the stream; none for what does not expire.';
