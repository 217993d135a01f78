-- A status that few have is a word under which a notification is found (key `status`): written once when it is reached.
insert into finds (value, key, tenant, place)
select ('{accepted,scheduled,retrying,cancelled,expired,rejected,failed,sent,undelivered,delivered}'::text[])[rank + 1],
       'status', tenant, place
from notifications where rank not in (0, 7, 9) and channels is null
on conflict do nothing;

comment on table finds is 'Search by address (key `to`), metadata (`metadata.KEY`) and the statuses that few have (`status`): written once, equality only (P6.6).';

-- The replays of a failed notification (P6.5): few rows have any.
create index notifications_of_replay on notifications (replay_of) where replay_of is not null;
