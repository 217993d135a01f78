-- One row per try of a notification (P5): written before anything is handed over, its result after it. The highest try
-- decides what a repeat does. Rows outlive Kafka's (7 days) and are outlived by intake's: they prevent a second sending.
create table claims (
    id uuid not null,
    lease_until timestamptz not null,
    made_at timestamptz not null,
    at timestamptz,
    result_at timestamptz,
    token uuid,
    try smallint not null check (try > 0),
    unknown smallint not null default 0 check (unknown >= 0),
    hand_overs smallint not null default 1 check (hand_overs in (0, 1)),
    segments smallint,
    unannounced boolean not null default false,
    result text check (
        result in ('sent', 'delivered', 'undelivered', 'retry', 'unknown', 'failed', 'expired', 'cancelled')
    ),
    provider text,
    provider_id text,
    reason text,
    detail text,
    encoding text,
    about text,
    primary key (id, try),
    check ((result is null) = (about is null)),
    check ((result is null) = (result_at is null)),
    check (result not in ('sent', 'retry', 'unknown') or at is not null),
    check (not unannounced or result = 'sent')
) with (
    -- The result is written beside the claim, and no index is touched.
    fillfactor = 60,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.02
);

comment on column claims.token is 'Drawn once per delivery; null when somebody else wrote the result (P5.6).';
comment on column claims.lease_until is 'Until then, by clock_timestamp(), its sender may be handing over; after it, without a result, nobody knows.';
comment on column claims.made_at is 'By tocsin.clock(): the first try''s is the beginning of the budget of retries.';
comment on column claims.at is 'The T of a retry, or the instant of an acceptance, by tocsin.clock().';
comment on column claims.unknown is 'Hand-overs up to and with this one of which nobody knows the outcome: so many copies are possible.';
comment on column claims.hand_overs is 'Whether this try was a hand-over, an attempt that counts; a final claim without one was none.';
comment on column claims.about is 'JSON of the fields that every event of the notification carries, so that its outcome can be said without its due.';
comment on column claims.unannounced is 'An acceptance that came after the lease, whose event Kafka has not acknowledged yet (P5.6).';

create index claims_unannounced on claims (id) where unannounced;
