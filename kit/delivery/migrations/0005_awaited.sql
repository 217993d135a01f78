-- Messages of which their provider can still say what became of them (P5.9): it is asked where nothing is called back.
-- Written before the acceptance is recorded, so that no crash in between forgets one; where it was not recorded after all,
-- nobody is asked. A table of its own, since an index on claims would cost every hand-over.
create table awaited (
    id uuid not null,
    ask_at timestamptz not null,
    try smallint not null check (try > 0),
    asked smallint not null default 0,
    provider text not null,
    provider_id text not null,
    primary key (id, try)
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

create index awaited_next on awaited (provider, ask_at);

comment on column awaited.ask_at is 'By tocsin.clock(): when the provider is asked next.';
comment on column awaited.asked is 'How often it was asked; after the last time the row goes.';
