"""What intake keeps of a person, and what stays of it: ids, verdicts and outcomes (P8)."""

from typing import Final
from uuid import UUID

from contracts.erasure import Forget
from kit.control.erasing import SECONDS, erase, hash_of, unhurried
from kit.postgres import Database

_ADDRESS: Final = "coalesce(address, convert_from(body, 'UTF8')::json ->> 'to')"
_IS_THEIRS: Final = f"""
tenant = $1 and accepted_at <= $4
and (user_id = $2 or user_id is null and {hash_of(_ADDRESS)} = any($3::text[]))
"""


async def open_ones(database: Database, who: Forget) -> list[UUID]:
    """What is still to be sent to this person, and whose end nobody has asked for."""
    async with database.transaction() as connection:
        await unhurried(connection)
        found = await connection.fetch(_OPEN, *_about(who), timeout=SECONDS)
    return [row["id"] for row in found]


_OPEN: Final = f"""
select id from notifications where state in ('waiting', 'handed') and end_asked is null and {_IS_THEIRS} order by id
"""


async def blank(database: Database, who: Forget) -> int:
    """What was asked for, to which address, and what was said about that; nobody needs it who only ends."""
    return await erase(database, _BLANK, *_about(who))


_BLANK: Final = f"""
update notifications set body = '{{}}', address = null, locale = null, detail = null,
    answer = convert_to((convert_from(answer, 'UTF8')::jsonb - 'detail')::text, 'UTF8')
where (state in ('ended', 'split') or end_asked is not null) and body is distinct from '{{}}' and {_IS_THEIRS}
"""


async def forget_keys(database: Database, who: Forget) -> int:
    """Collapse keys and counts that carry the person's name or address."""
    counted = [f"to:{hash[:32]}" for hash in who.address_hashes]
    keys = await erase(database, _KEYS, who.tenant, who.user_id, who.address_hashes)
    return keys + await erase(database, _USAGE, who.tenant, [who.user_id, *counted])


_KEYS: Final = f"""
delete from collapse_keys where tenant = $1 and (person = $2 or {hash_of("person")} = any($3::text[]))
"""

_USAGE: Final = "delete from usage where tenant = $1 and recipient = any($2::text[])"


def _about(who: Forget) -> tuple[object, ...]:
    return who.tenant, who.user_id, who.address_hashes, who.through
