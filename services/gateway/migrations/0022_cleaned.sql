-- What was cleaned up is remembered until intake has forgotten it, too: the same key again is not something new, and a
-- late word about it makes no new row (P8).
create table cleaned (
    id          uuid primary key,
    accepted_at timestamptz not null,
    ended_at    timestamptz not null,
    rank        smallint not null,
    fingerprint text
);
create index cleaned_ended on cleaned (ended_at);
comment on table cleaned is 'Notifications that were deleted less than 35 days after their end.';
comment on column cleaned.rank is 'Status at the end, as its rank; 0 for one of several channels (P6.3).';
