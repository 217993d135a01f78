"""The providers: they take a message or not, answer late or not at all, and call back."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import NamedTuple

from tests.model import watching
from tests.model.calls import KafkaError, send
from tests.model.parameters import ATTEMPTS, BACKOFF
from tests.model.tables import Claim, Record
from tests.model.world import Steps, World


class Result(NamedTuple):
    """What a hand-over came to, the T of a retry, and how many hand-overs it was: none, where it never began."""

    kind: str
    at: int = 0
    hand_overs: int = 1


def usable(world: World, claims: Iterable[Claim] = ()) -> list[str]:
    """Those that are open, the preferred one first; rather those that have not failed it by their own fault (P5.3)."""
    all_of_them = ("main", "spare") if world.knobs["spare"] else ("main",)
    names = [name for name in all_of_them if name != world.shut]
    failed = {claim.provider for claim in claims if claim.result == "retry" and claim.blamed}
    return [name for name in names if name not in failed] or names


def hand_over(world: World, claim: Claim, message: Record) -> Generator[int, None, Result]:
    """To the provider that the claim names; its truth is written down at the moment when it takes the message."""
    dice = world.dice
    yield dice.randint(0, 2)
    if world.hit("slow"):  # before it is taken
        yield dice.randint(20, 60)
    if world.on("lease_check") and world.now >= claim.lease:
        return Result("retry", world.now, 0)  # surely not sent
    world.truth.handed[claim.id] += 1
    claim.begun = True
    watching.handed_over(world, claim, message)
    kind = _answer(world, claim, message)
    if world.hit("slow"):  # after it
        yield dice.randint(20, 60)
    yield 0
    return _result(world, claim, message, kind)


def _answer(world: World, claim: Claim, message: Record) -> str:
    if world.hit("permanent"):
        return "failed"
    if world.hit("transient"):
        return "retry"
    _take(world, claim, message)
    return "unknown" if world.hit("anslost") else "sent"


def _take(world: World, claim: Claim, message: Record) -> None:
    id, truth, dice = claim.id, world.truth, world.dice
    watching.before_it_is_taken(world.claims[id].values())
    truth.copies[id].append((world.now, message["body"]))
    truth.taken_by[id].add(claim.provider)
    world.say("PROVIDER takes", id, "try", claim.try_, claim.provider)
    watching.taken(world, id, message["body"])
    if world.knobs["callbacks"]:
        status = dice.choice(("delivered", "undelivered"))
        world.spawn(None, _call_back(world, id, claim.try_, status), dice.randint(1, 60))


def _result(world: World, claim: Claim, message: Record, kind: str) -> Result:
    """P5.3; after an unknown hand-over the end is `failed` (P5.2), and failover tries another one at once."""
    if kind in ("sent", "failed"):
        return Result(kind)
    claims = world.claims[claim.id].values()
    hand_overs = sum(one.hand_overs for one in claims) if world.on("count_claims") else claim.try_
    at = world.now + BACKOFF[min(hand_overs, len(BACKOFF)) - 1]
    if kind == "retry" and world.knobs["spare"] and world.dice.random() < 0.6:
        claim.blamed = True
        failed = {one.provider for one in claims if one.blamed}
        if not claim.unknown and set(usable(world)) - failed:
            at = world.now
    unknown = claim.unknown + (kind == "unknown")
    given_up = kind == "unknown" and not world.knobs["resend_policy"]
    too_late = at >= message["expires"] and world.on("late_ends")
    if given_up or hand_overs >= ATTEMPTS or too_late:
        if claim.token:
            claim.unknown = unknown
        return Result("failed" if hand_overs >= ATTEMPTS or unknown else "expired")
    return Result(kind, at)


def _call_back(world: World, id: int, try_: int, status: str) -> Steps:
    """In any order, twice, early; repeated until it gets a 2xx (P5.9)."""
    for _ in range(2 if world.dice.random() < 0.4 else 1):
        while True:
            if world.up("gateway"):
                try:
                    yield from send(world, "receipts", {"id": id, "type": status, "try": try_})
                    world.truth.called.add(id)
                    break
                except KafkaError:
                    pass
            yield 9
        yield world.dice.randint(1, 20)
