"""The services, each the loops that its instances run."""

from __future__ import annotations

from typing import Final

from tests.model import claiming, gateway, intake, intake_sweep, outbox, scheduler, sender
from tests.model.instance import Instance
from tests.model.stage import stage
from tests.model.world import Loops, Steps, World


def _requests(world: World, instance: Instance) -> Steps:
    return stage(world, instance, "intake", ["requested", "requested_urgent"], intake.judge)


def _outcomes(world: World, instance: Instance) -> Steps:
    topics = ["sent", "failed", "retry"] if world.on("retry_heard") else ["sent", "failed"]
    return stage(world, instance, "intake_outcomes", topics, intake.judge)


def _timers(world: World, instance: Instance) -> Steps:
    return stage(world, instance, "scheduler", ["scheduled", "retry"], scheduler.judge)


def _receipts(world: World, instance: Instance) -> Steps:
    return stage(world, instance, "receipts", ["receipts"], claiming.hear_receipts)


def _projector(world: World, instance: Instance) -> Steps:
    topics = ["requested", "requested_urgent", "scheduled", "retry", "sent", "failed"]
    return stage(world, instance, "gateway", topics, gateway.project, gateway.ask_anew)


def _inbox(world: World, instance: Instance) -> Steps:
    return stage(world, instance, "inbox", ["inapp", "inapp_urgent"], gateway.judge_inbox)


LOOPS: Final[Loops] = {
    "intake": [_requests, _outcomes, intake_sweep.sweep],
    "scheduler": [_timers, scheduler.fire],
    "sender": [sender.deliver, sender.announce, _receipts],
    "gateway": [_projector, outbox.reconcile, _inbox, outbox.sweep],
}
