-- Null for all who ask without a trace: then it takes no room.
alter table notifications add column trace text;
comment on column notifications.trace is 'W3C traceparent, after a space its tracestate, of whoever asked for it.';
