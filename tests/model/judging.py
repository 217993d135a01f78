"""The judges of a world that came to rest, or had the time for it. Which promise has which number: README.md."""

from __future__ import annotations

from typing import Final

from tests.model.claiming import late_acceptances
from tests.model.knobs import FAULTS
from tests.model.parameters import DEFAULT_EXPIRY, FINAL, GROUP, TAKEN
from tests.model.tables import ReadRow, Record
from tests.model.truth import Violation
from tests.model.watching import NEVER, is_excused
from tests.model.world import World

LATE: Final = 70
"""Ticks past its expiry within which what was under way may still be sent."""


def is_at_rest(world: World) -> bool:
    """Nobody has anything to do any more, but for what sweeps by the clock."""
    kafka, gateway = world.kafka, world.gateway
    return (
        all(_is_final(world, id) or is_excused(world, id) for id in world.truth.accepted)
        and not world.timers
        and all(row.published and (row.answered or not world.on("answered")) for row in gateway.outbox)
        and all(kafka.has_no_lag(name, group.topics) for name, group in kafka.groups.items())
        and not any(instance.busy for instance in world.instances)
        and not (world.on("unannounced") and late_acceptances(world))
    )


def _is_final(world: World, id: int) -> bool:
    row = world.gateway.shown.get(id)
    return row is not None and row.is_final


def judge(world: World) -> None:
    """Raises Violation."""
    for id in world.truth.accepted:
        if not is_excused(world, id):
            _Judge(world, id).judge()
    if not world.any_fault(*FAULTS) and any(times > 1 for times in world.truth.swept.values()):
        raise Violation("I9 a handed row is swept again and again without any fault")
    if world.timers:
        raise Violation("I1 a timer is left")
    for claims in world.claims.values():
        results = [claim.result for claim in claims.values()]
        if None in results and not FINAL.intersection(results):
            raise Violation("I1 a claim is left open")


class _Judge:
    """Of one notification that was accepted: what is shown of it, and what really happened."""

    def __init__(self, world: World, id: int) -> None:
        self.world = world
        self.id = id
        self.truth = world.truth
        self.request: Record = world.truth.requests[id]
        self.copies = world.truth.copies[id]
        self.row = self._row()
        self.status = self.row.status
        self.events = self.row.events

    def _row(self) -> ReadRow:
        row = self.world.gateway.shown.get(self.id)
        if row is None or not row.is_final:
            raise Violation("I1 no final status" + (" after a topic loss" if self.world.kafka.lost else ""))
        return row

    @property
    def is_taken(self) -> bool:
        return self.status in TAKEN

    def judge(self) -> None:
        if len(self.row.timeline) != len(set(self.row.timeline)):
            raise Violation("timeline says a thing twice")
        if any(body != "A" for _, body in self.copies):
            raise Violation("I8 another body was sent")
        if self.request["inapp"]:
            self._inbox()
        else:
            self._status_is_true()
            self._no_copies()
            self._proofs_count()
        self._cancel()
        self._move()
        self._expiry()
        if self.request["group"] and self.truth.group_cancelled_at is not None:
            self._group(self.truth.group_cancelled_at)

    def _inbox(self) -> None:
        times = self.truth.shown[self.id]
        if times != self.is_taken:
            raise Violation(f"I5 inbox has {times} for status {self.status}")

    def _status_is_true(self) -> None:
        if self.is_taken and not self.copies:
            raise Violation("I2 sent, but the provider has none")
        perhaps_sent = self.status == "failed" and self.row.unknown
        if self.copies and not self.is_taken and not perhaps_sent:
            raise Violation(f"I6 provider took it, status is {self.status}")

    def _no_copies(self) -> None:
        again = len(self.copies) - 1
        if again > 0 and again > self.row.unknown:
            raise Violation("I2 a copy that is not flagged")
        if again > 0 and not self.world.any_fault(*FAULTS):
            raise Violation("I2 a copy without any fault")

    def _proofs_count(self) -> None:
        """What reached us is shown: an acceptance, a receipt, and a refusal only where nothing was sent."""
        if not self.is_taken and not self.world.kafka.lost:
            if self.id in self.truth.told:
                raise Violation(f"I6 an acceptance that reached us was thrown away, status is {self.status}")
            if self.id in self.truth.called:
                raise Violation(f"I6 its provider called back, status is {self.status}")
        if "rejected" in self.events and self.copies:
            raise Violation("I8 rejected was shown for another body, yet it was sent")

    def _cancel(self) -> None:
        if "too_late" in self.events:
            return
        was_sent = self.copies or self.truth.shown[self.id]
        if "cancelled" in self.events and was_sent:
            raise Violation("I3 cancelled was shown, yet it was sent, and no `cancel too late`")
        if self.id in self.truth.cancels and self.is_taken:
            raise Violation("I3 cancel accepted, sent, and no `cancel too late`")

    def _move(self) -> None:
        """Where the client knows of each of its moves that it was taken."""
        moves = self.truth.moves[self.id]
        if not self.is_taken or "move_too_late" in self.events or not all(answered for _, answered in moves):
            return
        if moves and min((at for at, _ in self.copies), default=NEVER) < moves[-1][0]:
            raise Violation("I4 sent before the moved send_at, and no `move too late`")

    def _expiry(self) -> None:
        """The default one is too far away to be met."""
        expires = self.request["expires"]
        if expires < DEFAULT_EXPIRY and any(at > expires + LATE for at, _ in self.copies):
            raise Violation("I3 sent long after expires_at")

    def _group(self, cancelled_at: float) -> None:
        row = self.world.intake.rows.get(self.id)
        if row is None:
            return  # its own cancel came first, and was all
        gateway, intake = self.world.gateway, self.world.intake
        if intake.cancelled_through is None:
            raise Violation("I10 a group's cancel was accepted and forgotten")
        newest = max(one.record["accepted_at"] for one in gateway.commands(GROUP))
        if row.accepted_at > newest and self.status == "cancelled" and self.id not in gateway.cancelled:
            raise Violation("I10 a member newer than its group's cancel was cancelled")
        if row.accepted_at < cancelled_at and self.is_taken and self.id not in self.truth.met:
            raise Violation("I10 a member older than its group's cancel was sent, and nobody tried to end it")
