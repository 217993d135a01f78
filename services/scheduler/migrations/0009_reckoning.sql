-- Reminders and reports to come were computed by the zone data, and by settings: with others they come at another time (P4.4).
create table reckoning (
    one   boolean primary key default true check (one),
    basis text not null
);
comment on column reckoning.basis is 'The edition of the zone data, the installation''s zone, and the time of daily reports, of who computed last.';
