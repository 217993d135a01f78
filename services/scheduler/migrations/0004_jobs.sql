-- One row per job (contracts/jobs.py): when it runs next by itself, and what came of its last run.
create table jobs (
    id text primary key,
    plan text,
    next_run timestamptz,
    run_id uuid,
    last_run timestamptz,
    answers text not null default '{}',
    unsaid boolean not null default false,
    untold boolean not null default true,
    check ((plan is null) = (next_run is null))
) with (fillfactor = 50);
comment on column jobs.plan is 'Cron and zone that next_run was computed by; null: only by hand.';
comment on column jobs.next_run is 'By tocsin.clock(); whoever moves it on starts the run of that instant, so that there is one.';
comment on column jobs.answers is 'JSON: what each service that owns rows of the job has answered in this run.';
comment on column jobs.unsaid is 'The run was started, and Kafka has not acknowledged its order yet.';
comment on column jobs.untold is 'Changed since it was last told on ops.status.';
