-- Alerts that came in from Alertmanager, one row for each life of one: of a name only so many lives an hour are told.
create table alerts (
    fingerprint text not null,
    starts_at   timestamptz not null,
    name        text not null,
    hour        timestamptz,
    heard_at    timestamptz not null,
    primary key (fingerprint, starts_at)
);
create index alerts_hour on alerts (hour, name);
create index alerts_heard on alerts (heard_at);
comment on column alerts.hour is 'The hour in which it took one of its name''s places, and was told; null: it is held back.';
