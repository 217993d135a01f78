"""What the scheduler keeps of a person: the bodies of retries that wait, and a place in schedules (P8)."""

from typing import Final

from contracts.erasure import Forget
from kit.control.erasing import erase, hash_of
from kit.postgres import Database


async def forget_retries(database: Database, who: Forget) -> int:
    """Takes away what would be tried again, with its timer: its end comes from the sender's claims, which intake asks
    for. A timer that brings such an end stays."""
    return await erase(database, _FORGET, who.tenant, who.user_id, who.address_hashes)


async def forget_recipient(database: Database, who: Forget) -> int:
    """Takes the person out of all versions of schedules, and of runs: also of one that the gateway has replaced, which
    still has what was due before. One that is for nobody else is silent; how many they were."""
    return await erase(database, _FORGET_RECIPIENT, who.tenant, who.user_id, who.address_hashes)


_RETRY: Final = "convert_from(b.retry, 'UTF8')::json"
_TO: Final = f"({_RETRY} -> 'due' -> 'content' ->> 'to')"

_FORGET: Final = f"""
with theirs as (
    select b.id from bodies b
    where coalesce({_RETRY} ->> 'tenant', 'default') = $1
        and ({_RETRY} ->> 'user_id' = $2 or {_RETRY} ->> 'user_id' is null and {hash_of(_TO)} = any($3::text[]))
), taken as (
    delete from timers t using theirs where t.id = theirs.id and not t.ends returning t.id
)
delete from bodies b using taken where b.id = taken.id
"""

_RECIPIENTS: Final = "s.value::jsonb -> 'recipients'"

# The version in force stays, so that nothing older comes back: its successor, or its end, is on the way.
_FORGET_RECIPIENT: Final = f"""
with theirs as (
    select s.number, coalesce(jsonb_agg(one order by nth) filter (where not is_theirs), '[]') as others
    from schedules s
    cross join lateral jsonb_array_elements(
        case jsonb_typeof({_RECIPIENTS}) when 'array' then {_RECIPIENTS} else '[]' end
    ) with ordinality as r(one, nth)
    cross join lateral (
        select one = to_jsonb($2::text) or coalesce({hash_of("one ->> 'to'")} = any($3::text[]), false) as is_theirs
    ) as found
    where s.tenant = $1 and s.value is not null
    group by s.number
    having bool_or(is_theirs)
), silent as (
    delete from schedules s using theirs t where s.number = t.number and s.until is not null and t.others = '[]'
), left_to_others as (
    update schedules s
    set value = jsonb_set(s.value::jsonb, '{{recipients}}', t.others)::text,
        next_at = case when t.others <> '[]' then s.next_at end,
        fire_after = case when t.others <> '[]' then s.fire_after end
    from theirs t
    where s.number = t.number and (s.until is null or t.others <> '[]')
)
select from theirs
"""
