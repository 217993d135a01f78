-- Webhooks out: whom we tell what became of notifications, and each time that we did (P6.7).
create table webhooks (
    id               uuid primary key,
    tenant           text not null,
    url              text not null,
    description      text,
    events           text[] not null check (cardinality(events) > 0),
    secret           bytea not null,
    old_secret       bytea,
    old_secret_until timestamptz,
    version          bigint not null default 1,
    enabled          boolean not null default true,
    disabled_at      timestamptz,
    disabled_why     text check (disabled_why in ('by_admin', 'gone', 'failing')),
    failing_since    timestamptz,
    created_at       timestamptz not null default clock_timestamp(),
    created_by       text not null,
    changed_at       timestamptz not null default clock_timestamp(),
    check (enabled = (disabled_why is null))
) with (fillfactor = 70);
comment on column webhooks.secret is 'What signatures are made with: it must be kept as it is, and is shown once only.';
comment on column webhooks.old_secret is 'The one before, which still signs beside the new one until old_secret_until.';
comment on column webhooks.failing_since is 'The first failure since anything was delivered.';

create index webhooks_tenant on webhooks (tenant, id desc);

create table webhook_deliveries (
    id              uuid primary key,
    place           uuid not null,
    webhook_id      uuid not null references webhooks on delete cascade,
    notification_id uuid,
    event           text not null,
    body            text,
    state           text not null default 'pending' check (state in ('pending', 'delivered', 'failed', 'forgotten')),
    attempts        integer not null default 0,
    tries           smallint not null default 0,
    since           timestamptz not null default tocsin.clock(),
    next_at         timestamptz default tocsin.clock(),
    leased_until    timestamptz,
    tried_at        timestamptz,
    status          smallint,
    error           text,
    duration_ms     integer,
    answer          text,
    check ((state = 'pending') = (next_at is not null)),
    check (state <> 'pending' or body is not null)
) with (fillfactor = 70);
comment on column webhook_deliveries.id is 'uuid5(the webhook, what happened): told twice it is the same, and receivers know it by it (webhook-id).';
comment on column webhook_deliveries.attempts is 'All that were begun; also the token of the newest: who was overtaken records nothing.';
comment on column webhook_deliveries.tries is 'Those since the delivery began, or was last replayed (since): they choose the pause.';
comment on column webhook_deliveries.leased_until is 'While it is under way at some gateway nobody else takes it; by clock_timestamp().';
comment on column webhook_deliveries.body is 'What is posted; null once the person was forgotten, or a week after it was delivered.';

create index webhook_deliveries_due on webhook_deliveries (webhook_id, next_at) where next_at is not null;
create index webhook_deliveries_page on webhook_deliveries (webhook_id, place desc);
create index webhook_deliveries_notification on webhook_deliveries (notification_id) where body is not null;
create index webhook_deliveries_ended on webhook_deliveries (place) where next_at is null;
