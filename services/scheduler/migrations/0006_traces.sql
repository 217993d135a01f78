-- Not null: a row without any null has no map of its nulls, which would make ten million of them 8 bytes wider each.
alter table timers add column trace text not null default '';
comment on column timers.trace is 'W3C traceparent, after a space its tracestate, of the notification; empty: none.';
