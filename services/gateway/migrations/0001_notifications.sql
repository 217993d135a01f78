-- What people see of their notifications. Everything here is learnt from Kafka, but for what REST has just accepted.

-- Where a notification stands in lists: 48 bits of time like a UUIDv7, then the id's own last 80 bits. The ids are
-- random (uuid5); whatever is written often is keyed by the place instead, so that new rows meet in the same pages.
create function place_of(accepted_at timestamptz, id uuid) returns uuid
    language sql immutable parallel safe
    return encode(
        substring(int8send(floor(extract(epoch from accepted_at - timestamptz 'epoch') * 1000)::bigint) from 3)
            || substring(uuid_send(id) from 7),
        'hex'
    )::uuid;

-- Under which label a notification is counted: "channel:rank", behind a "?" while nobody knows who asked for it.
create function counted_as(owner text, channel text, rank smallint) returns text
    language sql immutable parallel safe
    return case owner when '' then '?' else '' end || coalesce(channel, '') || ':' || rank;

create table notifications (
    id          uuid primary key,
    place       uuid not null,
    tenant      text not null,
    owner       text not null,
    channel     text,
    lane        text not null,
    user_id     text,
    group_name  text,
    accepted_at timestamptz not null,
    rank        smallint not null check (rank between 0 and 9),
    counted     text,
    was         text,
    reason      text,
    detail      text,
    provider    text,
    unknown     smallint not null default 0,
    attempts    smallint not null default 0,
    round       integer not null default 0,
    planned_at  timestamptz,
    expires_at  timestamptz,
    sent_at     timestamptz,
    edit        bigint not null default -1,
    sms         text,
    parent      uuid,
    channels    text[],
    replay_of   uuid,
    posted      boolean not null default false,
    fingerprint text,
    request     text,
    files       text
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

-- Larger requests go out of line as they are: packing them would cost more than all the rest, and every change of
-- status would carry them along.
alter table notifications alter column request set storage external;
alter table notifications alter column files set storage external;

comment on column notifications.rank is 'Status as its rank (contracts.status); it never goes down (P2).';
comment on column notifications.counted is 'The label under which the row is in the counts; null: not counted yet.';
comment on column notifications.owner is 'Empty after a cancel that came before its request: only the request tells.';
comment on column notifications.was is 'What `counted` was before the last change: the counts move by the difference.';
comment on column notifications.round is 'One more than the round that planned_at and expires_at belong to; 0: as asked for.';
comment on column notifications.edit is 'The highest edit that was answered; -1: none.';
comment on column notifications.sms is 'Encoding and segments of a text message, "GSM-7/2".';
comment on column notifications.channels is 'Set on a parent: a group of one notification per channel, not one itself (P6.3).';
comment on column notifications.posted is 'Something about it went through the outbox, so that answers must be looked for there.';
comment on column notifications.fingerprint is 'Of the body that REST accepted: the same key with another one is refused (P1).';
comment on column notifications.request is 'The request as JSON, without the contents of its attachments.';
comment on column notifications.files is 'Those, base64 in a JSON list: needed only to publish what REST accepted.';

-- No index holds a column that changes while a notification lives: its updates stay within the page (HOT).
create index notifications_of_tenant on notifications (tenant, place);
create index notifications_of_owner on notifications (tenant, owner, place);
create index notifications_of_user on notifications (tenant, user_id, place) where user_id is not null;
create index notifications_of_group on notifications (tenant, group_name, place) where group_name is not null;
create index notifications_of_parent on notifications (parent) where parent is not null;

create table timeline (
    place    uuid not null,
    event    text not null,
    n        text not null,
    at       timestamptz not null,
    try      smallint,
    attempt  smallint,
    provider text,
    detail   text,
    primary key (place, event, n)
);
comment on table timeline is 'One row per thing that happened, none twice (P2). `accepted` is the row of notifications itself.';

create table finds (
    tenant text not null,
    key    text not null,
    value  text not null,
    place  uuid not null,
    primary key (tenant, key, value, place)
);
comment on table finds is 'Search by address (key `to`) and metadata (`metadata.KEY`): written once, equality only (P6.6).';

create table commands (
    id      uuid not null,
    command uuid not null,
    kind    text not null check (kind in ('cancel', 'move')),
    edit    bigint not null default 0,
    at      timestamptz not null,
    primary key (id, command)
);
comment on table commands is 'Every cancel and move that was asked for: what a provider took all the same gets `too_late`.';

create table refusals (
    id      uuid not null,
    refusal uuid not null,
    at      timestamptz not null,
    detail  text,
    primary key (id, refusal)
);
comment on table refusals is 'The same key with another body: shown on the first one''s timeline, of which there may be no row yet (P1).';

create table poison (
    id          uuid primary key,
    tenant      text not null,
    topic       text not null,
    partition   integer not null,
    "offset"    bigint not null,
    timestamp   timestamptz not null,
    error       text not null,
    size        integer not null,
    sha256      text not null,
    value       bytea not null,
    reported_by text not null,
    seen_at     timestamptz not null default clock_timestamp()
);
comment on table poison is 'Records that nobody can read, with their first 64 KiB, for an admin to look at (P7).';

create table hours (
    hour    timestamptz not null,
    tenant  text not null,
    channel text not null,
    rank    smallint not null,
    n       bigint not null,
    primary key (hour, tenant, channel, rank)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);
comment on table hours is 'Notifications per hour of acceptance and status; kept when the notifications are cleaned up (P9).';

create table tallies (
    tenant  text not null,
    owner   text not null,
    channel text not null,
    rank    smallint not null,
    n       bigint not null,
    primary key (tenant, owner, channel, rank)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);
comment on table tallies is 'The same per owner, for his own statistics.';
