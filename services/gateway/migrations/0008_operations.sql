-- What is heard on ops.status (P9): who is alive, what jobs there are, and what came of each run.
create table instances (
    service  text not null,
    name     text not null,
    state    text not null,
    heard_at timestamptz not null,
    about    text not null,
    primary key (service, name)
) with (fillfactor = 50);
comment on table instances is 'The last word of each process of a service.';
comment on column instances.heard_at is 'LogAppendTime: the clocks of the services'' hosts say nothing here.';
comment on column instances.about is 'JSON: pid, version, since when it runs, what it is doing.';

create table jobs (
    id      text primary key,
    told    text not null,
    told_at timestamptz not null
);
comment on table jobs is 'What the scheduler, which times them, says of the jobs; JSON.';

create table runs (
    run_id   uuid primary key,
    job      text not null,
    asked_by text,
    asked_at timestamptz not null
);
comment on column runs.asked_by is 'Null: its time had come.';

create index runs_asked on runs (asked_at);

create table answers (
    run_id   uuid not null references runs on delete cascade,
    service  text not null,
    instance text not null,
    state    text not null,
    at       timestamptz not null,
    result   text not null,
    primary key (run_id, service)
) with (fillfactor = 50);
comment on table answers is 'What each service that owns rows of the job has answered last; an end is never replaced.';
