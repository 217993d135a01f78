-- Deadlines, and for each person who is told of one the next instant at which there is something to say (P4.4). What a
-- look costs depends on what is due, never on how many deadlines there are.

create table deadlines (
    tenant       text not null,
    id           text not null,
    owner        text,
    title        text not null,
    due_at       timestamptz,
    due_date     date,
    time_zone    text,
    assignees    text[] not null,
    urgent_since timestamptz,
    is_open      boolean not null,
    plan         text,
    own_plan     text,
    epoch        bigint not null,
    as_of        timestamptz not null,
    "offset"     bigint not null,
    primary key (tenant, id)
) with (fillfactor = 80);
comment on column deadlines.urgent_since is 'By tocsin.clock(); null: it is not urgent.';
comment on column deadlines.plan is 'The name of its plan; null: the tenant''s `default`.';
comment on column deadlines.own_plan is 'A plan of its own, as JSON.';
comment on column deadlines.epoch is 'The highest that any of its reminders had; only grows, also past a deletion: groups of old epochs are cancelled for ever.';
comment on column deadlines.as_of is 'When it was first published; only a newer (as_of, offset) replaces it (P1, P9).';

create table reminders (
    next_at     timestamptz,
    changed_at  timestamptz not null,
    through     timestamptz not null,
    epoch       bigint not null,
    failures    smallint not null default 0,
    spoke       boolean not null default false,
    tenant      text not null,
    deadline_id text not null,
    user_id     text not null,
    plan        text not null,
    said        text[] not null default '{}',
    primary key (tenant, deadline_id, user_id)
) with (
    fillfactor = 80,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 1000
);
comment on table reminders is 'One row for each person of each open deadline.';
comment on column reminders.next_at is 'Look at it not before this instant by tocsin.clock(); null: its plan has nothing more to say.';
comment on column reminders.changed_at is 'The last change that moved its instants: none before it is said, but what was missed.';
comment on column reminders.through is 'What repeats has been said up to here.';
comment on column reminders.spoke is 'A notification of this epoch may exist, so that its group is to be cancelled when the epoch ends.';
comment on column reminders.plan is 'The name of its plan, `` where the deadline has one of its own.';
comment on column reminders.said is 'Rules that have had their say in this epoch.';

create index reminders_next_at on reminders (next_at) where next_at is not null;
create index reminders_of_person on reminders (tenant, user_id, deadline_id);
create index reminders_of_plan on reminders (tenant, plan, deadline_id, user_id);

-- Groups of epochs that are over: to be cancelled, then forgotten.
create table ended_groups (
    next_at    timestamptz not null,
    failures   smallint not null default 0,
    tenant     text not null,
    group_name text not null,
    reason     text not null,
    primary key (tenant, group_name)
);
create index ended_groups_next_at on ended_groups (next_at);

-- A person's zone or a tenant's plan has changed: all reminders that go by it are looked at again, some at a time.
create table replans (
    next_at    timestamptz not null,
    changed_at timestamptz not null,
    tenant     text not null,
    what       text not null check (what in ('person', 'plan')),
    name       text not null,
    done_to    text[] not null default '{"", ""}',
    primary key (tenant, what, name)
);
comment on column replans.done_to is 'The deadline and person up to whom it is done.';
create index replans_next_at on replans (next_at);

-- The next daily report of everybody who has an open deadline.
create table reports (
    next_at  timestamptz not null,
    planned  timestamptz,
    last_day date,
    failures smallint not null default 0,
    tenant   text not null,
    user_id  text not null,
    primary key (tenant, user_id)
) with (fillfactor = 80);
comment on column reports.planned is 'The instant of the next report; null: to be found out.';
comment on column reports.last_day is 'The person''s day that has been reported.';
create index reports_next_at on reports (next_at);

create table people (
    tenant    text not null,
    user_id   text not null,
    time_zone text,
    locale    text,
    as_of     timestamptz not null,
    "offset"  bigint not null,
    primary key (tenant, user_id)
) with (fillfactor = 80);
comment on table people is 'Zone and language of the directory''s people, for their reminders; who is forgotten has neither.';

create table plans (
    tenant   text not null,
    name     text not null,
    value    text,
    as_of    timestamptz not null,
    "offset" bigint not null,
    primary key (tenant, name)
);
comment on column plans.value is 'As JSON; null: there is none of this name any more, the default is in force.';
