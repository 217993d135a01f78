-- A late word about one of several channels answers what is asked about all of them, also when it was cleaned up (P6.3).
alter table cleaned add column parent uuid;
comment on column cleaned.parent is 'The notification that asked for several channels, of which this was one.';
