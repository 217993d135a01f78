-- What was shown can be rewritten and taken back by who sent it, one by one or by group.

alter table inbox
    add column owner       text not null default '',
    add column group_name  text,
    add column version     integer not null default 1,
    add column recalled_at timestamptz;

update inbox set owner = notification::jsonb ->> 'owner', group_name = notification::jsonb ->> 'group';
alter table inbox alter column owner drop default;

comment on column inbox.version is 'How often it was written: its ETag. What the person does with it is no new version.';
comment on column inbox.recalled_at is 'Taken back: nobody sees it any more and its texts are gone, but the row stays the claim.';
comment on column inbox.changed is 'The offset of the last change (read, archived, recalled, updated).';

drop index inbox_unread;
create index inbox_unread on inbox (tenant, user_id, "offset")
    where "offset" is not null and read_at is null and archived_at is null and recalled_at is null;
create index inbox_group on inbox (tenant, group_name, id)
    where group_name is not null and "offset" is not null and recalled_at is null;
