"""What people want, as the directory tells it: one question for all people of a batch."""

from collections.abc import Collection
from functools import lru_cache
from typing import Final

from pydantic import ValidationError
from pydantic_core import from_json

from contracts.preferences import SUBJECTS, Preferences
from kit.hours import DAYS, span
from kit.postgres import Connection
from services.intake.rules.facts import Tenanted, Wishes


async def wishes(connection: Connection, people: Collection[Tenanted]) -> dict[Tenanted, Wishes]:
    """Those of these people who want anything in particular."""
    found = await connection.fetch(_WISHES, *zip(*people, strict=True), SUBJECTS)
    texts: dict[Tenanted, list[tuple[str, str]]] = {}
    for tenant, name, value in found:
        user_id, _, subject = name.rpartition("/")
        texts.setdefault((tenant, user_id), []).append((subject, value))
    return {person: read(tuple(sorted(values))) for person, values in texts.items()}


_WISHES: Final = """
select tenant, name, value from objects
where kind = 'preference' and (tenant, name) in (
    select tenant, user_id || '/' || subject
    from unnest($1::text[], $2::text[]) as people(tenant, user_id), unnest($3::text[]) as subject
) and not gone and value is not null
"""


@lru_cache(maxsize=4096)
def read(objects: tuple[tuple[str, str], ...]) -> Wishes:
    """The objects of one person, (subject, JSON) each, checked once. What is none of ours says nothing."""
    try:
        wanted = Preferences.of({subject: from_json(value) for subject, value in objects})
    except ValidationError:
        return Wishes()
    return Wishes(wanted.opted_out, tuple(span(q.start, q.end, q.days or DAYS) for q in wanted.quiet_hours))
