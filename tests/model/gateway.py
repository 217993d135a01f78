"""What the gateway shows: the projector's status and timeline (P2), and the inbox (P6.2)."""

from __future__ import annotations

from collections.abc import Sequence

from tests.model import watching
from tests.model.parameters import DEFAULT_EXPIRY, RANK, TAKEN
from tests.model.tables import Entry, OutboxRow, ReadRow, Record, Said
from tests.model.world import World


def project(world: World, batch: Sequence[Record]) -> list[Said]:
    """What happened, in whatever order it is heard."""
    for record in batch:
        id, kind = record["id"], record["type"]
        commands = world.gateway.commands(id)
        _answer_group_cancels(world, record)
        if kind in ("cancel_group", "group_cancelled", "again"):
            continue
        row = read_row(world, id, record.get("expires"))
        _show(world, row, record)
        for command in commands:
            command.answered = command.answered or _answers(row, record, command)
        if world.on("derived_too_late") and row.status in TAKEN:
            _derive_too_late(world, id, row, commands)
    return []


def read_row(world: World, id: int, expires: int | None = None) -> ReadRow:
    """P2: any event may create it."""
    row = world.gateway.shown.get(id)
    if row is None:
        row = world.gateway.shown[id] = ReadRow(expires or world.now + DEFAULT_EXPIRY)
    return row


def _answer_group_cancels(world: World, record: Record) -> None:
    """P3.4: an event of the group's own answers its cancels up to that time, else that of any member all of them."""
    request = world.truth.requests.get(record["id"])
    of_member = request is not None and request["group"] and not world.on("group_answer")
    if record["type"] == "group_cancelled" or of_member:
        through = record.get("through", world.now)
        for row in world.gateway.outbox:
            if row.record["type"] == "cancel_group" and row.record["accepted_at"] <= through:
                row.answered = True


def _show(world: World, row: ReadRow, record: Record) -> None:
    kind = record["type"]
    due: Record = record["due"] if kind == "retry" else {"try": 0, "unknown": 0}
    entry = Entry(kind, record.get("try") or due["try"], record.get("round"), record.get("edit"))
    if entry not in row.timeline or not world.on("event_ids"):
        row.timeline.append(entry)
    row.unknown = max(row.unknown, record.get("unknown", 0), due["unknown"])
    status = "retrying" if kind == "retry" else kind
    if status in RANK and (RANK[status] > RANK[row.status] or not world.on("rank")):
        watching.status_changes(row, status)
        row.status = status


def _answers(row: ReadRow, record: Record, command: OutboxRow) -> bool:
    """P6.1: whether this is the judge's answer to what stands in the outbox."""
    if row.is_final:
        return True
    match command.record["type"]:
        case "request":
            return record["type"] == "scheduled"
        case "move":
            if record["type"] == "scheduled":
                return record["edit"] >= command.record["edit"]
            return record["type"] == "move_too_late"
        case _:
            return False


def _derive_too_late(world: World, id: int, row: ReadRow, commands: Sequence[OutboxRow]) -> None:
    """P2: a provider took what had a cancel, or a move that nobody answered."""
    events = row.events
    if (id in world.gateway.cancelled or "cancelled" in events) and "too_late" not in events:
        row.timeline.append(Entry("too_late"))
    edits = [command.record["edit"] for command in commands if command.record["type"] == "move"]
    answered = any(one.event == "scheduled" and (one.edit or 0) >= max(edits, default=0) for one in row.timeline)
    if edits and not answered and "move_too_late" not in events:
        row.timeline.append(Entry("move_too_late"))


def ask_anew(world: World, topics: set[str]) -> None:
    """P9: the projector found `sent` or `failed` made anew; what is open asks."""
    if topics & {"sent", "failed"}:
        for row in world.gateway.shown.values():
            row.asks = row.asks or not row.is_final


def judge_inbox(world: World, batch: Sequence[Record]) -> list[Said]:
    """P6.2, P5.8: the row is the claim; it says how it ended, whatever comes after."""
    said: list[Said] = []
    for record in batch:
        id = record["id"]
        outcome = world.gateway.inbox.get(id)
        if outcome is None or not world.on("inbox_key"):
            outcome = record.get("end") or ("expired" if world.now > record["expires"] else "sent")
            if outcome == "sent":
                watching.shown(world, id)
                world.truth.shown[id] += 1
            else:
                world.truth.met_end.setdefault(id, world.now)
            if outcome == "sent" or world.on("inbox_end"):
                world.gateway.inbox[id] = outcome
        said.append(("sent" if outcome == "sent" else "failed", {"id": id, "type": outcome, "try": 1}))
    return said
