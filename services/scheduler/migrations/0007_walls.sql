-- Where a zone moves west by newer zone data, a time of day that was fired comes again on the same day (P4.4).
alter table schedules add column wall timestamp;
comment on column schedules.wall is 'What the clock of its zone showed at the last firing; null: there was none.';
