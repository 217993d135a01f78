-- How often each caller has asked of each gateway in a minute of the clock. Gateways exchange it every second, so that a
-- limit per caller holds for all of them together; nobody misses it after a crash.
create unlogged table calls (
    minute timestamptz not null,
    caller text not null,
    gateway uuid not null,
    calls integer not null,
    primary key (minute, caller, gateway)
) with (fillfactor = 50);
comment on table calls is 'Written only where `limits.per_caller` is set.';
comment on column calls.caller is 'tenant/owner.';
comment on column calls.gateway is 'Drawn by each process at its start.';
