"""Intake (P3): a row for each notification, and what the row says to whoever asks, however often."""

from __future__ import annotations

from collections.abc import Sequence

from tests.model import watching
from tests.model.parameters import DAY, FINAL, RANK, TAKEN
from tests.model.tables import IntakeRow, Record, Remembered, Said
from tests.model.world import World


def judge(world: World, batch: Sequence[Record]) -> list[Said]:
    """What follows from a batch, event by event."""
    said: list[Said] = []
    for record in batch:
        row = world.intake.rows.get(record["id"])
        match record["type"]:
            case "request":
                said += _request(world, record, row)
            case "again":
                said += _again(world, record, row)
            case "ripe":
                said += _ripe(world, record, row)
            case "cancel_group":
                said += _cancel_group(world, record)
            case "cancel":
                said += _cancel(world, record, row)
            case "move":
                said += _move(world, record, row)
            case "retry" if row:
                row.said_at = max(row.said_at, record["at"])
            case outcome if outcome in FINAL and row:
                _hear(row, record)
    return said


# ------------------------------------------------------------------------------------------------- what a row says


def say(world: World, row: IntakeRow, again: bool = False) -> list[Said]:
    """P3.1: a pure function of what is stored."""
    if row.outcome:
        assert row.last
        return [("sent" if row.outcome in TAKEN else "failed", row.last)]
    if row.is_waiting:
        return [("scheduled", {**_scheduled(row, row.at), "urgent": row.urgent})]
    if again and world.on("again_quiet"):
        return [("scheduled", {**_scheduled(row, 0), "handed": True})]
    if row.end and world.on("end_stored"):
        return [say_end(world, row)]
    due: Record = {
        "id": row.id,
        "type": "due",
        "lane": lane(row),
        "round": row.round,
        "body": row.body,
        "address": row.address if world.on("stored_verdict") else world.address,
        "at": row.at,
        "expires": row.expires,
        "unknown": 0,
        "said": world.now,
        "try": 1,
    }
    return [(lane(row), due)]


def say_end(world: World, row: IntakeRow) -> Said:
    """P3.4: the bodiless `due` with `end`, which overtakes in the urgent lane."""
    urgent = "inapp_urgent" if row.inapp else "urgent"
    topic = urgent if world.on("end_lane") else lane(row)
    return topic, {
        "id": row.id,
        "type": "due",
        "end": row.end,
        "lane": topic,
        "round": row.round,
        "body": None,
        "address": None,
        "at": row.at,
        "expires": row.expires,
        "unknown": 0,
        "try": 1,
    }


def lane(row: IntakeRow) -> str:
    if row.inapp:
        return "inapp_urgent" if row.urgent else "inapp"
    return "urgent" if row.urgent else "due"


def _scheduled(row: IntakeRow, at: int) -> Record:
    return {"id": row.id, "type": "scheduled", "round": row.round, "at": at, "edit": row.edit}


def swept(said: Sequence[Said]) -> list[Said]:
    """The same, marked for the judges."""
    return [(topic, {**record, "swept": True}) for topic, record in said]


# ------------------------------------------------------------------------------------------------- what it hears


def _request(world: World, record: Record, row: IntakeRow | None) -> list[Said]:
    forgotten = not world.on("stored_verdict")
    if row is None or (forgotten and row.is_waiting and row.at <= world.now):
        row = _accept(world, record)
    elif row.body != record["body"]:
        refused = record["id"] + 1000 if world.on("conflict_own_id") else record["id"]
        return [("failed", {"id": refused, "type": "rejected"})]
    again = record.get("again", False)
    said = say(world, row, again)
    return swept(said) if again and said[0][1]["type"] == "due" else said


def _accept(world: World, record: Record) -> IntakeRow:
    """P3.1, and P3.4 where it was cancelled before it came, alone or with its group."""
    intake, id = world.intake, record["id"]
    remembered = intake.remembered.get(id, Remembered())
    at = record["at"] if remembered.at is None else remembered.at
    row = intake.rows[id] = IntakeRow(
        id=id,
        body=record["body"],
        address=world.address,
        at=at,
        expires=record["expires"],
        inapp=record["inapp"],
        urgent=record["urgent"],
        group=record["group"],
        accepted_at=record.get("accepted_at", record["ts"]),
        state="waiting" if at > world.now else "handed",
        said_at=world.now,
        opened_at=world.now,
        edit=remembered.edit,
    )
    watching.accepted_after_cancel(world, row, remembered.cancelled)
    through = -1 if intake.cancelled_through is None else intake.cancelled_through
    too_late = row.group and world.on("group_through") and row.accepted_at <= through
    if remembered.cancelled or too_late:
        row.ends("cancelled")
    elif record["bad"]:
        row.ends("rejected")
    return row


def _again(world: World, record: Record, row: IntakeRow | None) -> list[Said]:
    """P6.1; asked for the day (P9), all of its rows."""
    rows = [*world.intake.rows.values()] if record["id"] == DAY else [row] if row else []
    return [one for row in rows for one in say(world, row, again=True)]


def _ripe(world: World, record: Record, row: IntakeRow | None) -> list[Said]:
    """P3.2"""
    if row is None:
        return []
    its_round = record["round"] == row.round
    if row.is_waiting and not row.outcome and (its_round or not world.on("ripe_round")):
        row.state, row.address = "handed", world.address
        row.said_at = row.opened_at = world.now
        row.sweeps = row.swept_next = 0
        if world.now > row.expires:
            row.ends("expired")
        return say(world, row)
    return say(world, row) if its_round or world.on("past_repeat") else []


def _cancel_group(world: World, record: Record) -> list[Said]:
    """P3.4: its members end that were accepted until then; the group answers for itself."""
    intake, asked_at = world.intake, record["accepted_at"]
    before = intake.cancelled_through if world.on("group_max") else None
    intake.cancelled_through = max(asked_at, before or 0)
    said: list[Said] = []
    if world.on("group_answer"):
        answer: Record = {"id": record["id"], "type": "group_cancelled", "through": intake.cancelled_through}
        said.append(("failed", answer))
    for row in intake.rows.values():
        if row.group and (row.accepted_at <= asked_at or not world.on("group_newer")):
            said += end(world, row, "cancelled")
    world.say("intake", "cancel_group", record["id"], None)
    return said


def _cancel(world: World, record: Record, row: IntakeRow | None) -> list[Said]:
    """P3.4: of an unknown id it is remembered, and answered at once."""
    remembered = world.intake.remembered
    before = remembered.get(record["id"], Remembered())
    said: list[Said] = []
    if row is None:
        world.truth.early.add(record["id"])
        if world.on("cancel_memory"):
            remembered[record["id"]] = before._replace(cancelled=True)
            if world.on("stub_speaks"):
                said = [("failed", {"id": record["id"], "type": "cancelled"})]
    elif row.end and record.get("again"):
        said = say(world, row, again=True)
    else:
        said = end(world, row, "cancelled")
    world.say("intake", "cancel", record["id"], row and (row.state, row.outcome))
    return said


def _move(world: World, record: Record, row: IntakeRow | None) -> list[Said]:
    """P3.3: a higher edit moves what waits, or is refused; of an unknown id it is remembered (P1)."""
    numbered, remembered = world.on("edit_number"), world.intake.remembered
    before = remembered.get(record["id"], Remembered())
    fresh = not numbered or record["edit"] > (row or before).edit
    if row is None:
        if numbered and fresh:
            remembered[record["id"]] = before._replace(at=record["at"], edit=record["edit"])
        return []
    said: list[Said] = []
    if row.is_waiting and not row.outcome:
        if fresh:
            row.round, row.at, row.edit, row.said_at = row.round + 1, record["at"], record["edit"], world.now
    elif fresh:
        said.append(("scheduled", {"id": row.id, "type": "move_too_late"}))
    if row.is_waiting if fresh else world.on("past_repeat"):
        said += say(world, row, record.get("again", False))
    world.say("intake", "move", row.id, (row.state, row.outcome))
    return said


def _hear(row: IntakeRow, record: Record) -> None:
    """An outcome: the furthest stays, with the highest count of unknown hand-overs (P2)."""
    if not row.outcome or RANK[record["type"]] > RANK[row.outcome]:
        row.outcome, row.last = record["type"], record.copy()
        del row.last["ts"]
    assert row.last
    unknown = max(row.last.get("unknown", 0), record.get("unknown", 0))
    row.last = {**row.last, "unknown": unknown}


# ------------------------------------------------------------------------------------------------- an end


def end(world: World, row: IntakeRow, outcome: str) -> list[Said]:
    """P3.4: a waiting row is ended here; of a handed one its sender is asked."""
    world.truth.met.add(row.id)
    if row.outcome:
        return say(world, row)
    if row.is_waiting:
        row.ends(outcome)
        lost = world.dice.random() < world.knobs["takeback_lost"]
        take_back: list[Said] = [] if lost else [("scheduled", {"id": row.id, "type": "take_back"})]
        return say(world, row) + take_back
    if outcome == "cancelled":
        world.truth.judged.setdefault(row.id, world.now)
    row.end = row.end or outcome
    row.said_at = world.now
    return [say_end(world, row)]
