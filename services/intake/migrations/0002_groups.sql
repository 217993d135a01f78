-- What several notifications have in common: a group that may be cancelled, a key under which only the newest is sent.

create table groups (
    tenant text not null,
    name   text not null,
    primary key (tenant, name)
);
comment on table groups is 'Only to be locked: by members together (share), by a cancel alone. So none comes in between (P3.4).';

create table group_ends (
    tenant     text not null,
    name       text not null,
    owner      text not null default '*',
    through    timestamptz not null,
    reason     text,
    done       boolean not null default false,
    done_to    uuid,
    primary key (tenant, name, owner)
);
comment on table group_ends is 'Cancels of whole groups.';
comment on column group_ends.owner is 'Whose members end; * = whoever asked for them.';
comment on column group_ends.through is 'Members accepted up to then end cancelled, also those that come later; it never goes down.';
comment on column group_ends.done_to is 'The members up to this id have been told. Not `done`: the others still have to be.';

create index group_ends_open on group_ends (tenant, name, owner) where not done;

create table collapse_keys (
    tenant      text not null,
    person      text not null,
    channel     text not null,
    key         text not null,
    accepted_at timestamptz,
    id          uuid,
    primary key (tenant, person, channel, key)
) with (fillfactor = 70);
comment on table collapse_keys is 'The newest notification under each key; older ones that are not sent yet end collapsed (P3.5).';
comment on column collapse_keys.id is 'Null: the key was named, so that it could be locked, and nothing has come of it.';
