-- What admins did: written before it is done, and never changed.
create table audit (
    id       uuid primary key,
    tenant   text not null,
    who      text not null,
    at       timestamptz not null default clock_timestamp(),
    method   text not null,
    path     text not null
);
comment on table audit is 'One row per change that an admin asked for (and per export), before it is done: none is done without its row.';
comment on column audit.path is 'What it was done to, with its query; bodies and addresses are not kept.';

create index audit_tenant on audit (tenant, id desc);
create index audit_who on audit (tenant, who, id desc);

create table audit_ends (
    id     uuid primary key references audit,
    status smallint not null,
    detail text
);
comment on table audit_ends is 'What was answered. No row: nobody knows, the gateway went away over it.';
comment on column audit_ends.detail is 'What came of it: the address of what was made, or how many it was about.';

create function append_only() returns trigger
    language plpgsql
    as $$ begin raise exception 'the audit is only ever added to'; end $$;

create trigger audit_stays before update or delete or truncate on audit
    for each statement execute function append_only();
create trigger audit_ends_stay before update or delete or truncate on audit_ends
    for each statement execute function append_only();
