"""The judges that look on while a world runs: each is called at the moment that it is about, and raises Violation."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from tests.model.knobs import FAULTS
from tests.model.parameters import ATTEMPTS, FINAL, LEASE, RANK, SWEEP, TAKEN
from tests.model.tables import Claim, IntakeRow, OutboxRow, ReadRow, Record, requested
from tests.model.truth import Violation
from tests.model.world import World

NEVER: Final = 10**9


def is_excused(world: World, id: int) -> bool:
    """Accepted through Kafka only, and its topic's data was lost: the promise excludes it."""
    truth, lost = world.truth, world.kafka.lost
    if id not in truth.direct or not lost:
        return False
    row = world.intake.rows.get(id)
    if row and row.body:
        return row.body == "B"  # the other one of the same key is what is left
    return lost.get(requested(truth.requests[id]), -1) >= truth.written.get(id, 0)


def published(world: World, topic: str, record: Record) -> None:
    """Kafka takes a record."""
    id, truth = record["id"], world.truth
    if record["type"] == "request" and record["body"] == "A":
        truth.written[id] = world.now
    if topic in ("due", "urgent", "inapp", "inapp_urgent") and not record.get("end"):
        content = record["body"], record["address"]
        if truth.content.setdefault(id, content) != content:
            raise Violation("I8 a repeat published another content")
    if record.get("swept"):
        _swept_copy(world, topic, id)
    if world.held and topic in ("due", "urgent") and record.get("end"):
        truth.ends_held.setdefault(id, world.now)


def _swept_copy(world: World, topic: str, id: int) -> None:
    group = {"scheduled": "scheduler", "due": "sender", "urgent": "sender"}.get(topic, "inbox")
    waiting = world.kafka.unread(group, world.kafka.partition(topic, id))
    if sum(record["id"] == id and bool(record.get("swept")) for record in waiting) >= 4:
        raise Violation("I9 copies pile up in a lane that is only late")


def hold_ends(world: World) -> None:
    if world.any_fault(*(fault for fault in FAULTS if fault != "hold")):
        return
    for id, since in world.truth.ends_held.items():
        if world.now - since > 60 and not any(claim.result in FINAL for claim in world.claims[id].values()):
            raise Violation("I3 an `end` waits behind a hold")


# ------------------------------------------------------------------------------------------------------------ intake


def accepted_after_cancel(world: World, row: IntakeRow, remembered: bool) -> None:
    if row.id in world.truth.early and not remembered:
        raise Violation("I3 a cancel that came before its request was forgotten")


def swept(world: World, row: IntakeRow) -> None:
    """Intake's sweep drives a row."""
    id, truth, kafka = row.id, world.truth, world.kafka
    truth.swept[id] += not row.is_waiting
    truth.needless[id] += any(
        record["id"] == id and record["type"] in FINAL
        for topic in ("sent", "failed")
        for record in kafka.unread("intake_outcomes", kafka.partition(topic, id))
    )
    if truth.needless[id] > 1:
        raise Violation("I9 the sweep drives what was answered and only not read")
    if 2**row.sweeps > 4 + 2 * (world.now - row.opened_at) / SWEEP:
        raise Violation("I9 the sweep never ends for a row")


# ------------------------------------------------------------------------------------------------------------ sender


def called_unknown(world: World, claim: Claim) -> None:
    """Nothing but an acknowledgement that is lost can leave a claim of which no hand-over began."""
    seldom = world.knobs["acklost"] + world.knobs["dbdown"] <= 0.08
    if not claim.begun and seldom and not world.any_fault("crash", "pause", "rebalance", "slow"):
        raise Violation("I2 a hand-over that never began is called unknown")


def ended(world: World, claims: Collection[Claim]) -> None:
    if any(not claim.result and claim.lease > world.now for claim in claims):
        raise Violation("I3 ended while a hand-over is under way")


def claimed(claims: Collection[Claim], looked_before: bool) -> None:
    """Another try is claimed; who looked well before the statement may not know yet what was called back."""
    for claim in claims:
        if claim.result in TAKEN and (claim.recorded or not looked_before):
            raise Violation("I2 sent again although a claim says it was taken")
    if any(claim.result in FINAL - TAKEN for claim in claims):
        raise Violation("I3 handed over although a claim says how it ended")


def handed_over(world: World, claim: Claim, message: Record) -> None:
    id, truth = claim.id, world.truth
    past_end = world.now > truth.met_end.get(id, NEVER) + LEASE + 30
    if past_end and not world.any_fault(*(fault for fault in FAULTS if fault not in ("slow", "hold"))):
        raise Violation("I3 handed over long after a sender had met its `end`")
    if message["said"] > truth.judged.get(id, NEVER):
        raise Violation("I3 handed over what intake published after it had judged its cancel")
    if truth.handed[id] > ATTEMPTS:
        raise Violation("I7 more attempts than the policy allows")
    for earlier in world.claims[id].values():
        if earlier.try_ < claim.try_ and earlier.result == "retry" and earlier.at > world.now:
            raise Violation("I11 attempt before the retry's time")


def before_it_is_taken(claims: Collection[Claim]) -> None:
    if any(claim.result in TAKEN and claim.recorded for claim in claims):
        raise Violation("I2 a copy after the acceptance was durably recorded")


def taken(world: World, id: int, body: str | None) -> None:
    """A provider has it."""
    if len(world.truth.taken_by[id]) > 1:
        raise Violation("I2 failed over, although another provider has it")
    if world.now < min(world.truth.wanted[id]) and body == "A":
        raise Violation("I4 handed over before send_at")


# ----------------------------------------------------------------------------------------------------------- gateway


def status_changes(row: ReadRow, to: str) -> None:
    if RANK[to] < RANK[row.status]:
        raise Violation("I6 status went down")
    if row.is_final and RANK[to] <= RANK[row.status]:
        raise Violation("I1 final status replaced")


def shown(world: World, id: int) -> None:
    if id in world.truth.met_end:
        raise Violation("I5 shown in the inbox after it was ended")


def published_again(world: World, row: OutboxRow) -> None:
    """The gateway's sweep drives a row of the outbox; a move of what is excused has nobody who answers."""
    record = row.record
    row.swept_in_peace += world.quiet and not (record["type"] == "move" and is_excused(world, record["id"]))
    if row.swept_in_peace > 3:
        raise Violation("I9 the gateway's sweep never ends for a row")
