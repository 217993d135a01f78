"""The inbox as a stage writes it: what is shown to whom, decided once, in which order."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from contracts import events as e
from contracts.status import Status
from kit.postgres import Connection
from services.gateway.rules.inbox import Claim
from services.gateway.store.arrays import columns, given

Person = tuple[str, str]
"""Tenant and user id."""


async def lock_people(connection: Connection, people: Collection[Person]) -> dict[Person, int]:
    """Lock these persons' counters (new ones begin at 0) and say where they stand. Sorted: no deadlocks.

    All that is decided about a person's inbox is decided behind this lock, so that offsets have no holes and none is
    seen before a lower one.
    """
    rows = await connection.fetch(_LOCK_PEOPLE, *columns(sorted(people), 2))
    return {(row["tenant"], row["user_id"]): row["last_offset"] for row in rows}


_LOCK_PEOPLE = f"""
insert into people as p (tenant, user_id, last_offset)
select tenant, user_id, 0 from {given(tenant="text", user_id="text")} g
on conflict (tenant, user_id) do update set last_offset = p.last_offset
returning tenant, user_id, last_offset
"""


async def set_counters(connection: Connection, counters: dict[Person, int]) -> None:
    """Where the counters stand now."""
    await connection.execute(
        f"update people p set last_offset = g.last_offset from {_COUNTERS} g"
        " where p.tenant = g.tenant and p.user_id = g.user_id",
        *columns(((*person, last) for person, last in counters.items()), 3),
    )


_COUNTERS = given(tenant="text", user_id="text", last_offset="bigint")


async def claims(connection: Connection, ids: Collection[UUID]) -> dict[UUID, Claim]:
    """What has been decided about these notifications already."""
    rows = await connection.fetch(
        'select id, outcome, reason, created_at, "offset" from inbox where id = any($1::uuid[])', ids
    )
    return {row["id"]: _claim(row) for row in rows}


def _claim(row: Any) -> Claim:
    return Claim(row["id"], Status(row["outcome"]), row["reason"], row["created_at"], row["offset"])


async def add(
    connection: Connection, rows: Sequence[tuple[e.Due, Status, str | None, int | None]]
) -> dict[UUID, Claim]:
    """Write down what was decided: (due, outcome, reason, offset). The unique id is the claim: the first one stays."""
    made = await connection.fetch(_ADD, *columns(map(_row, rows), 14))
    return {row["id"]: _claim(row) for row in made}


def _row(decided: tuple[e.Due, Status, str | None, int | None]) -> tuple[Any, ...]:
    due, outcome, reason, offset = decided
    content = due.content if outcome is Status.SENT else None
    data = content.model_dump_json(include={"data"}) if content and content.data is not None else None
    common = e.OfNotification(**due.passed_on()).model_dump_json(exclude_none=True)
    shown = (content.kind, content.category, content.subject, content.text) if content else (None,) * 4
    return (due.id, due.tenant, due.user_id or "", outcome, reason, offset, *shown, data, due.owner, due.group, common)


_DECIDED = given(
    id="uuid",
    tenant="text",
    user_id="text",
    outcome="text",
    reason="text",
    place="bigint",
    kind="text",
    category="text",
    title="text",
    body="text",
    data="text",
    owner="text",
    group_name="text",
    notification="text",
)

_ADD = f"""
insert into inbox (
    id, tenant, user_id, outcome, reason, "offset", kind, category, title, body, data, owner, group_name, notification
)
select * from {_DECIDED} g
on conflict (id) do nothing
returning id, outcome, reason, created_at, "offset"
"""
