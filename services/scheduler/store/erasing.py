"""What the scheduler keeps of a person's notifications: the bodies of retries that wait (P8)."""

from typing import Final

from contracts.erasure import Forget
from kit.control.erasing import erase, hash_of
from kit.postgres import Database


async def forget_retries(database: Database, who: Forget) -> int:
    """Takes away what would be tried again, with its timer: its end comes from the sender's claims, which intake asks
    for. A timer that brings such an end stays."""
    return await erase(database, _FORGET, who.tenant, who.user_id, who.address_hashes)


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
