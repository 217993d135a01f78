-- After a restore: what Kafka held at that moment, and has to be read again before anybody acts on time alone (P9).
create table unread (
    consumer    text not null,
    topic       text not null,
    partition   integer not null,
    through     bigint not null,
    stale_at    bigint,
    restored_at timestamptz not null,
    primary key (consumer, topic, partition)
);
comment on table unread is 'Written by `tocsin restore`; a row goes when its consumer group has come that far, and with the last row time goes on.';
comment on column unread.consumer is 'A consumer group (contracts/topics.py), without the installation''s prefix; so is the topic.';
comment on column unread.through is 'The end of the partition at the restore.';
comment on column unread.stale_at is 'Beside the offset that the group was set back to, where that lies behind the end: it is of an older topic, and says nothing.';
