-- The day of a report is that of the zone in which it was planned: a person who moves while it is said has it once (P4.4).
alter table reports add column day date;
comment on column reports.day is 'The person''s day that the next report is about; null, or not after last_day: that of planned in the person''s zone.';
