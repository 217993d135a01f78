-- When a notification may be sent, and how much one recipient gets.

alter table notifications add column windows text;
comment on column notifications.windows is 'When an attempt is allowed, an input of the verdict: "begin-end ..." in microseconds since 1970. Null: always (P5.3).';

alter table notifications add column digest uuid;
comment on column notifications.digest is 'The digest that it waits for, or became part of (P3.8).';
create index notifications_of_digest on notifications (digest) where digest is not null;

create table usage (
    tenant    text not null,
    recipient text not null,
    counts    text not null default '{}',
    last_day  text not null default '',
    primary key (tenant, recipient)
) with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02);
comment on table usage is 'Notifications per recipient, where limits.per_user are set: had in the past, promised in the future (P3.1). The row''s lock orders those who count.';
comment on column usage.recipient is 'A person of the directory, or "to:" and the hash of an address.';
comment on column usage.counts is 'JSON: {"2027-03-01T08": 3} by clock hour of UTC, {"2027-03-01": 5} by day of the recipient''s zone.';
comment on column usage.last_day is 'The last day that is counted: when it is long over, the row can go.';
