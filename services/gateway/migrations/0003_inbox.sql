-- The bell: one row per in-app notification, which is also the claim on it (P6.2, P5.8).

create table people (
    tenant      text not null,
    user_id     text not null,
    last_offset bigint not null,
    primary key (tenant, user_id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);
comment on table people is 'The counter of each person''s stream, raised in the transaction that uses it: nobody sees 6 before 5.';

create table inbox (
    id          uuid primary key,
    tenant      text not null,
    user_id     text not null,
    outcome     text not null check (outcome in ('sent', 'cancelled', 'expired', 'failed')),
    reason      text,
    "offset"    bigint,
    changed     bigint,
    kind        text,
    category    text,
    title       text,
    body        text,
    data        text,
    created_at  timestamptz not null default clock_timestamp(),
    read_at     timestamptz,
    archived_at timestamptz,
    notification text not null,
    check ((outcome = 'sent') = ("offset" is not null))
) with (fillfactor = 80);
comment on column inbox."offset" is 'Where it stands in the person''s stream; none for what ended before it was shown.';
comment on column inbox.changed is 'The offset of the last change (read, archived).';
comment on column inbox.notification is 'What every event of this notification carries, as JSON, for the events to come.';

create unique index inbox_stream on inbox (tenant, user_id, "offset") where "offset" is not null;
create index inbox_unread on inbox (tenant, user_id, "offset")
    where "offset" is not null and read_at is null and archived_at is null;
