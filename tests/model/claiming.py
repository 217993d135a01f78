"""What the claims of a notification say about its `due` (P5.1 to P5.4, P5.8), a result (P5.6) and a receipt (P5.9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tests.model import watching
from tests.model.parameters import ATTEMPTS, FINAL, LEASE, RANK, TAKEN
from tests.model.provider import Result, usable
from tests.model.tables import Claim, Record, Said
from tests.model.world import World


class Go(NamedTuple):
    """It is claimed: hand it over."""

    claim: Claim

    def __str__(self) -> str:
        return f"go {self.claim.try_}"


class Say(NamedTuple):
    """Nothing is handed over; this is said."""

    topic: str
    record: Record

    def __str__(self) -> str:
        return f"say {self.record['type']}"


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody else came between looking and writing: look again."""

    def __str__(self) -> str:
        return "conflict"


Verdict = Go | Say | Conflict


def claim(world: World, message: Record, token: int, looked_before: Mapping[int, Claim] | None) -> Verdict:
    """The claim's statement. `looked_before`: the claims as they were, where looking was a statement of its own."""
    claims = world.claims[message["id"]]
    known = claims if looked_before is None else looked_before
    if not known.keys() <= claims.keys():
        return Conflict()  # one was given back
    every = world.on("all_claims")
    seen = [one for try_, one in sorted(known.items()) if every or try_ == message["try"]]
    return _Look(world, message, token, claims, seen, looked_before is not None).verdict()


@dataclass(slots=True)
class _Look:
    """One look: `claims` are the rows, `seen` what the look showed of them, lowest try first."""

    world: World
    message: Record
    token: int
    claims: dict[int, Claim]
    seen: Sequence[Claim]
    looked_before: bool

    def verdict(self) -> Verdict:
        return self._ended() or self._live() or self._next()

    def _ended(self) -> Say | None:
        """P5.1: what a provider has is said again, and so is any final result."""
        ends = [one for one in self.seen if one.result in TAKEN]
        if self.world.on("final_again"):
            ends += [one for one in self.seen if one.result in FINAL]
        return self._say(ends[0]) if ends else None

    def _live(self) -> Verdict | None:
        """P5.1: a live lease holds, whoever comes; only its own token goes on (the acknowledgement was lost)."""
        world, message = self.world, self.message
        end = message.get("end")
        for one in self.seen:
            if one.result or one.lease <= world.now:
                continue
            if one.token == self.token:
                return Go(self.claims[one.try_])
            self._meet_end()
            if world.on("lease") and (not end or world.on("end_waits")):
                return self._hold(one.lease, message["try"] + (not world.on("hold_try")))
        return None

    def _next(self) -> Verdict:
        """The highest claim decides: another try, its result again, or an end."""
        world, message, end = self.world, self.message, self.message.get("end")
        self._meet_end()
        waits = not end or world.on("end_waits")
        over = [one for one in self.seen if not one.result and (waits or one.lease <= world.now)]
        unknown = self._unknown(over)
        try_, highest = message["try"], self.seen[-1].try_ if self.seen else 0
        if end or (over and world.on("resend_now")):
            try_ = highest + 1 if world.on("end_next") or not end else try_
        elif over or (self.seen and try_ <= highest and world.on("republish_result")):
            for one in over:
                self._becomes_unknown(one)
            return self._say(self.claims[highest])
        outcome = self._outcome(try_, over, unknown)
        provider = self._provider(unknown)
        if not outcome and provider == world.shut:
            return self._hold(world.now + 6, try_=message["try"])
        taken = try_ in self.claims or any(self.claims[one.try_].result for one in over)
        if self.looked_before and world.on("unique") and taken:
            return Conflict()
        for one in over:
            watching.called_unknown(world, self.claims[one.try_])
            self._becomes_unknown(one)
        return self._write(try_, outcome, unknown, provider)

    def _unknown(self, over: Sequence[Claim]) -> int:
        """P5.2: how many hand-overs so far nobody knows about, with those of which only the lease is over."""
        known = [one.unknown + (one.result == "unknown") for one in self.seen]
        unknown = max([self.message["unknown"], *known])
        if over and self.world.on("flag_unknown"):
            unknown = max([unknown, *(one.unknown for one in over)]) + 1
        return unknown

    def _outcome(self, try_: int, over: Sequence[Claim], unknown: int) -> str | None:
        """Why it is over: an `end` (P5.8), its expiry (P5.4), the policy (P5.2, P5.3); None: it is not."""
        world, message = self.world, self.message
        perhaps_sent = "failed" if world.on("unknown_final") and unknown else None
        counted = world.on("count_claims")
        hand_overs = sum(one.hand_overs for one in self.seen) if counted else try_ - 1
        if end := message.get("end"):
            return perhaps_sent or end
        if world.now > message["expires"] and world.on("expiry_check"):
            return perhaps_sent or "expired"
        if (over and not world.knobs["resend_policy"]) or hand_overs >= ATTEMPTS:
            return "failed"
        return None

    def _provider(self, unknown: int) -> str:
        """After an unknown hand-over the same one (P5.2), else the best that is open."""
        if unknown and self.seen and self.world.on("same_provider"):
            return self.seen[-1].provider
        return usable(self.world, self.seen)[0]

    def _write(self, try_: int, outcome: str | None, unknown: int, provider: str) -> Verdict:
        world, claims, id = self.world, self.claims, self.message["id"]
        new = Claim(id, try_, self.token, world.now + LEASE, provider, outcome, unknown, hand_overs=0 if outcome else 1)
        if outcome:
            watching.ended(world, claims.values())
            if not self.message.get("end") or world.on("end_claim"):
                claims[try_] = new
            return Say("failed", {"id": id, "type": outcome, "unknown": unknown, "try": try_})
        watching.claimed(claims.values(), self.looked_before)
        claims[try_] = new
        return Go(new)

    def _meet_end(self) -> None:
        if self.message.get("end"):
            self.world.truth.met_end.setdefault(self.message["id"], self.world.now)

    def _becomes_unknown(self, seen: Claim) -> None:
        row = self.claims[seen.try_]
        row.result, row.at, row.token = "unknown", self.world.now, None

    def _say(self, claim: Claim) -> Say:
        return Say(*event(self.world, claim, self.message))

    def _hold(self, until: int, try_: int) -> Say:
        return Say(*held(self.message, until, try_))


def held(message: Record, until: int, try_: int) -> Said:
    """It comes again then; no attempt is used."""
    return "retry", {"id": message["id"], "type": "retry", "at": until, "due": {**message, "try": try_}}


def event(world: World, claim: Claim, message: Record | None) -> Said:
    """What a claim's result is published as, the same each time; only a retry needs the message."""
    result = claim.result
    assert result
    if result in ("retry", "unknown"):
        assert message
        unknown = claim.unknown + (result == "unknown")
        due: Record = {**message, "unknown": unknown, "try": claim.try_ + 1}
        return "retry", {"id": claim.id, "type": "retry", "at": claim.at, "due": due}
    highest = max(one.unknown for one in world.claims[claim.id].values())
    topic = "sent" if result in TAKEN else "failed"
    return topic, {"id": claim.id, "type": result, "unknown": highest, "try": claim.try_}


def conclude(world: World, message: Record, try_: int, token: int, result: Result) -> Said | None:
    """P5.6: a result under its claim's own token, an acceptance whatever the token. None: it is dropped."""
    claim = world.claims[message["id"]][try_]
    accepted = result.kind == "sent"
    if accepted:
        world.truth.told.add(message["id"])
    if claim.token == token or not world.on("token"):
        if claim.result not in TAKEN:  # else a receipt was earlier, and knows more
            claim.result, claim.at, claim.hand_overs = result
            claim.recorded = accepted
    elif not accepted or not world.on("late_accept"):
        return None
    elif claim.result not in TAKEN:
        claim.result, claim.token, claim.late = "sent", None, True
    return event(world, claim, message)


def hear_receipts(world: World, batch: Sequence[Record]) -> list[Said]:
    """P5.9: a receipt moves its claim on, and proves a hand-over of unknown fate."""
    said: list[Said] = []
    for receipt in batch:
        claim = world.claims[receipt["id"]].get(receipt["try"])
        if claim is None or (claim.result not in TAKEN and not world.on("receipt_proves")):
            continue
        if claim.result not in TAKEN or RANK[receipt["type"]] > RANK[claim.result or ""]:
            claim.result = receipt["type"]
        said.append(event(world, claim, None))
    return said


def late_acceptances(world: World) -> list[Claim]:
    """P5.6: those of which nobody knows that they are announced."""
    return [one for claims in world.claims.values() for one in claims.values() if one.late]
