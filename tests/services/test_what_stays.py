"""No table grows for ever by neglect: each is cleaned up, empties itself, or is kept for a reason that bounds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import asyncpg

from kit.postgres import all_schemas

CONTROL: Final = {
    "orders": "cleaned: 30 days after their end (`orders`)",
    "switches": "kept: one per provider and channel",
    "migrations": "kept: one per migration",
}
RESTORED: Final = {"unread": "empties itself: what was restored is read again"}
SENDER: Final = {
    "claims": "cleaned: 30 days after the end (`claims`)",
    "receipts": "cleaned: said, or 30 days (`receipts`)",
    "awaited": "cleaned: asked often enough, or 30 days (`awaited`)",
    "paces": "kept: one per provider and unit",
    "suppressed": "kept: one per address that was ever suppressed, as the compacted topic says",
}
STAYS: Final[Mapping[str, Mapping[str, str]]] = {
    "tocsin": {
        "clock_offset": "kept: one row",
        "shared_paces": "kept: one per unit",
        "migrations": "kept: one per migration",
    },
    "intake": CONTROL
    | RESTORED
    | {
        "notifications": "cleaned: 36 days after the end (`notifications`)",
        "groups": "cleaned: when no member and no cancel is left (`groups`)",
        "group_ends": "cleaned: 36 days after it was asked for (`group_ends`)",
        "collapse_keys": "cleaned: with its newest notification (`keys`)",
        "usage": "empties itself: the loop `usage`",
        "people": "kept: one per person ever named; who is forgotten has no data, so that nothing older comes back",
        "objects": "kept: what admins and people have set, as the compacted topics say",
        "hours": "kept: five rows an hour at most, and the reconciliation is their sum",
    },
    "scheduler": CONTROL
    | RESTORED
    | {
        "timers": "empties itself: fires",
        "bodies": "empties itself: with its timer",
        "schedules": "cleaned: 60 days after the deletion (`schedules`)",
        "deadlines": "kept: one per deadline ever tracked, for epochs only grow",
        "reminders": "empties itself: with the end of its deadline",
        "ended_groups": "empties itself: told, then deleted",
        "reckoning": "kept: one row",
        "replans": "empties itself: done, then deleted",
        "reports": "empties itself: with the person's last open deadline",
        "people": "kept: one per person ever named, without data of who is forgotten",
        "plans": "kept: what admins have set",
        "jobs": "kept: one per job",
    },
    "email_sender": CONTROL | SENDER,
    "sms_sender": CONTROL | SENDER,
    "gateway": CONTROL
    | {
        "notifications": "cleaned: archived, then deleted",
        "timeline": "cleaned: with its notification",
        "finds": "cleaned: with its notification",
        "inbox": "cleaned: with its notification",
        "commands": "cleaned: with its notification; of ids that never came after 35 days (`commands`)",
        "refusals": "cleaned: likewise (`refusals`)",
        "asks": "empties itself: with the answer, or with its notification",
        "outbox": "empties itself: with the judge's answer",
        "cleaned": "cleaned: 35 days after the end (`ids`)",
        "poison": "cleaned: after 35 days (`poison`)",
        "judged_hours": "cleaned: after 35 days, but for what differs (`judged_hours`)",
        "asked_hours": "empties itself: after 8 days, at each reconciliation",
        "losses": "kept: three rows",
        "hours": "kept: a row per hour, tenant, channel and status; statistics, and the reconciliation is their sum",
        "tallies": "kept: a row per owner, channel and status",
        "people": "kept: a counter per person: an offset is never given out twice",
        "inbox_changes": "cleaned: after 30 days (`changes`)",
        "stream_epoch": "kept: one row",
        "tickets": "empties itself: used, or after 30 seconds",
        "calls": "empties itself: after a minute",
        "directory": "kept: one per key of the compacted topics; a tombstone, so that nothing older comes back",
        "deadlines": "empties itself: with the deadline's deletion",
        "editions": "kept: one per object that is changed under If-Match",
        "renewals": "empties itself: said again, then deleted",
        "instances": "cleaned: a day after the last word (`runs`)",
        "jobs": "kept: one per job",
        "runs": "cleaned: after 30 days (`runs`); reports of erasures stay",
        "answers": "cleaned: with its run",
        "api_keys": "kept: made by hand; a revoked one stays, since the audit names it",
        "audit": "kept: what admins did, for ever",
        "audit_ends": "kept: with its audit",
        "erasures": "kept: the proof that somebody was forgotten",
        "alerts": "cleaned: after some days (`alerts`)",
        "webhooks": "kept: made by hand",
        "webhook_deliveries": "cleaned: after 30 days (`webhook_deliveries`)",
    },
}

_TABLES: Final = """
select table_schema, table_name from information_schema.tables
where table_schema = any($1::text[]) and table_type = 'BASE TABLE'
"""


async def test_p8_every_table_is_cleaned_up_or_kept_for_a_reason(database: str) -> None:
    """Who makes a table says here what becomes of its rows."""
    owner = await asyncpg.connect(database)
    try:
        found = await owner.fetch(_TABLES, ["tocsin", *all_schemas()])
    finally:
        await owner.close()
    there = {(row["table_schema"], row["table_name"]) for row in found}
    assert there == {(schema, table) for schema, tables in STAYS.items() for table in tables}


def test_every_reason_says_which() -> None:
    reasons = [reason for tables in STAYS.values() for reason in tables.values()]
    assert all(reason.startswith(("cleaned: ", "empties itself: ", "kept: ")) for reason in reasons)
