-- A group's cancel is forgotten when no member can come any more that it meets; when it was asked for tells that.
alter table group_ends add column ended_at timestamptz not null default clock_timestamp();
comment on column group_ends.ended_at is 'When it was last asked for: `through` may be for ever.';
