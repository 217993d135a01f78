-- Timers that Kafka has not acknowledged wait apart (P4.2): a partition that stays dead gathers ever more of them, and
-- who looks for the others would have to step over them again and again.
drop index timers_fire_after;
create index timers_fire_after on timers (fire_after) where failures = 0;
create index timers_put_back on timers (fire_after) where failures > 0;
