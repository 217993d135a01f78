-- What intake has judged, and what it judges by. The row of a notification is the verdict: a repeat says what it says.

create table notifications (
    id           uuid primary key,
    tenant       text not null,
    owner        text not null,
    channel      text check (channel in ('email', 'sms', 'inapp')),
    lane         text not null check (lane in ('urgent', 'normal', 'bulk')),
    user_id      text,
    group_name   text,
    accepted_at  timestamptz not null,
    judged_at    timestamptz not null,
    parent       uuid,
    steps        smallint not null,
    fingerprint  bytea,
    collapse_key text,
    address      text,
    locale       text,
    time_zone    text,
    template     text,
    state        text not null check (state in ('expected', 'split', 'waiting', 'handed', 'ended')),
    edit         bigint not null,
    round        integer not null,
    planned_at   timestamptz,
    expires_at   timestamptz,
    reason       text,
    detail       text,
    since        timestamptz not null,
    end_asked    text check (end_asked in ('cancelled', 'expired', 'collapsed', 'forgotten')),
    outcome      text,
    unknown      smallint not null,
    answer       bytea,
    sweeps       smallint not null,
    rest_until   timestamptz,
    pile         text,
    look_at      timestamptz,
    body         bytea,
    check ((state = 'ended') = (outcome is not null)),
    check ((state in ('waiting', 'handed')) = (look_at is not null)),
    check ((look_at is null) = (pile is null)),
    check (state <> 'handed' or time_zone is not null),
    check (state not in ('waiting', 'handed') or (fingerprint is not null and channel is not null))
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- Compressing a mail costs more than keeping it for 35 days; a long one lies beside the row, where updates leave it.
alter table notifications alter column body set storage external;

comment on column notifications.fingerprint is 'SHA-256 of the request as it came. Null: only edits have named this id so far (P3.4).';
comment on column notifications.time_zone is 'With address, locale and template the inputs of the verdict; null until it is due (P3.1).';
comment on column notifications.template is 'The version that was used, "welcome@3".';
comment on column notifications.edit is 'The highest move that was applied; only a higher one counts (P1).';
comment on column notifications.reason is 'Why it waits, why its end was asked for, or how it ended.';
comment on column notifications.since is 'When it was last handed over or announced, or the later time that a retry announced; real time.';
comment on column notifications.end_asked is 'The end that the sender was asked for: from then on this is what a handed row says (P3.4).';
comment on column notifications.answer is 'The outcome as it was heard, for whoever asks again. Null: an end of our own.';
comment on column notifications.rest_until is 'The sweep leaves it alone until then; doubles with each of `sweeps`.';
comment on column notifications.pile is 'Whom an open row waits for: "email.urgent" a sender''s lane, "waiting.normal" a timer.';
comment on column notifications.look_at is 'Lost, if that pile has been served past this instant and still nobody spoke (P3.9). Null: nothing is open.';
comment on column notifications.body is 'The request as JSON.';

create index notifications_open on notifications (pile, look_at) where look_at is not null;
create index notifications_expiring on notifications (expires_at) where look_at is not null and end_asked is null;
create index notifications_of_group on notifications (tenant, group_name, id) where group_name is not null;
-- Acceptance and insertion go together, so that an hour's rows lie side by side.
create index notifications_accepted on notifications using brin (accepted_at) with (pages_per_range = 32, autosummarize);

create table hours (
    hour     timestamptz not null,
    stage    text not null,
    accepted bigint not null default 0,
    final    bigint not null default 0,
    primary key (hour, stage)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);
comment on table hours is 'Notifications per hour of acceptance, and how many of them have ended; kept after clean-up (P9).';
comment on column hours.stage is 'Who counted: those who work side by side do not wait for each other.';
