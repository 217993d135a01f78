-- Who was forgotten, and when (P8): it stays as the proof, with the run that holds each service's answer.
create table erasures (
    run_id   uuid primary key,
    tenant   text not null,
    user_id  text not null,
    asked_at timestamptz not null
);
create index erasures_person on erasures (tenant, user_id, asked_at desc);

comment on column notifications.request is 'The request as JSON, without the contents of its attachments; {} once its person is forgotten.';
