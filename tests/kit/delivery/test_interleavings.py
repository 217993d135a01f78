"""Thousands of small worlds: senders that crash, stall and overtake each other at any step, and rules that must hold.

The rules are the product's; the claims are a dictionary that keeps what the statements of `store.py` promise.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.events import Due
from contracts.status import Channel, End
from kit.delivery.outcomes import PROVIDER_UNAVAILABLE, Accepted, Refused, Unavailable, Unknown
from kit.delivery.rules import (
    Attempt,
    Claim,
    Conclusion,
    Decision,
    Finish,
    HandOver,
    Hold,
    MarkUnknown,
    Past,
    Policy,
    Result,
    Say,
    Unclaim,
    decide,
    what_became,
)
from kit.retry import RetryPolicy

WORLDS = 3000
BEGAN = datetime(2027, 3, 1, tzinfo=UTC)
PROVIDERS = frozenset({"main", "spare"})
LEASE, TIMEOUT, ATTEMPTS = 25.0, 8.0, 3
Steps = Iterator[float]


@dataclass
class Row:
    """A claim as the table has it."""

    token: UUID | None
    lease_until: float
    made_at: float
    unknown: int
    provider: str
    conclusion: Conclusion | None = None
    hand_overs: int = 1


@dataclass
class World:
    """One notification, its claims, its timers, two providers (each of which may be shut at times), and as many
    deliveries as there are copies of its due."""

    seed: int
    rule: Callable[..., Decision] = decide
    now: float = 0.0
    rows: dict[int, Row] = field(default_factory=dict)
    timers: list[tuple[float, Due]] = field(default_factory=list)
    running: list[tuple[float, Steps]] = field(default_factory=list)
    taken: int = 0
    handed: int = 0
    silent: int = 0
    said: list[Conclusion] = field(default_factory=list)
    tokens: int = 0

    def __post_init__(self) -> None:
        self.luck = random.Random(self.seed)
        chance = self.luck.random
        self.crash, self.stall, self.lost = (chance() * 0.1 if chance() < 0.5 else 0.0 for _ in range(3))
        self.policy = Policy(RetryPolicy((8.0, 16.0), ATTEMPTS, 1000.0), "resend" if chance() < 0.8 else "fail")
        expires = BEGAN + timedelta(seconds=chance() * 120 if chance() < 0.3 else 700)
        self.due = Due(
            id=UUID(int=self.seed + 1),
            channel=Channel.EMAIL,
            accepted_at=BEGAN,
            owner="user:alice",
            round=0,
            at=BEGAN,
            expires_at=expires,
        )
        self.timers = [(0.0, self.due)] * self.luck.choice((1, 1, 2, 3))
        if chance() < 0.4:
            self.timers.append((chance() * 80, self.due.model_copy(update={"end": End.CANCELLED})))

    def time(self, seconds: float | None = None) -> datetime:
        return BEGAN + timedelta(seconds=self.now if seconds is None else seconds)

    def hit(self, share: float) -> bool:
        return self.now < 140 and self.luck.random() < share

    # ------------------------------------------------------------------------------------------------- the statements

    def look(self) -> Past:
        claims = [
            Claim(
                try_=try_,
                token=row.token,
                live=row.lease_until > self.now,
                lease_left=row.lease_until - self.now,
                held_until=self.time(row.lease_until),
                made_at=self.time(row.made_at),
                provider=row.provider,
                unknown=row.unknown,
                hand_overs=row.hand_overs,
                conclusion=row.conclusion,
            )
            for try_, row in self.rows.items()
        ]
        return Past.of(claims)

    def write(self, row: Row, conclusion: Conclusion) -> None:
        row.conclusion, row.unknown, row.hand_overs = conclusion, conclusion.unknown, conclusion.hand_overs

    # --------------------------------------------------------------------------------------------------- one delivery

    def deliver(self, due: Due) -> Steps:
        self.tokens += 1
        token = UUID(int=self.tokens)
        while True:
            yield 0
            past, now = self.look(), self.time()
            if self.hit(0.3):
                yield self.luck.random() * 3
            match self.rule(due, past, now=now, token=token, policy=self.policy, draw=0.0):
                case Say(_, conclusion):
                    return self.say(due, past.claims[-1].try_, conclusion)
                case Hold(until):
                    return self.timers.append(((until - BEGAN).total_seconds(), due))
                case MarkUnknown(claim, conclusion):
                    row = self.rows.get(claim.try_)
                    if row and row.token == claim.token and row.conclusion is None and row.lease_until <= self.now:
                        row.token = None
                        self.write(row, conclusion)
                case Unclaim():
                    self.unclaim(token)
                case Finish(try_, conclusion) if try_ not in self.rows:
                    assert not self.live(), "ended while a hand-over may be under way"
                    self.rows[try_] = Row(
                        None, self.now, self.now, conclusion.unknown, "", conclusion, conclusion.hand_overs
                    )
                    return self.say(due, try_, conclusion)
                case HandOver(attempt, left):
                    lease = self.now + LEASE if left is None else self.now + left
                    if left is None:
                        if attempt.try_ in self.rows or self.time() >= due.expires_at:
                            continue
                        provider = attempt.provider or self.chosen(past)
                        self.rows[attempt.try_] = Row(token, lease, self.now, attempt.unknown, provider)
                        if self.hit(self.lost):
                            continue
                    if (yield from self.hand_over(due, attempt, token, lease)):
                        return None

    def chosen(self, past: Past) -> str:
        """Whichever happens to be open; rather one that has not failed it."""
        return self.luck.choice(sorted(PROVIDERS - past.failed_by) or sorted(PROVIDERS))

    def live(self) -> bool:
        return any(row.conclusion is None and row.lease_until > self.now for row in self.rows.values())

    def records(self, try_: int, token: UUID, conclusion: Conclusion) -> bool:
        """Under its own token; an acceptance whatever the token."""
        row = self.rows.get(try_)
        if row is None:
            return False
        ours = row.token == token and (row.conclusion is None or row.conclusion.result is conclusion.result)
        known = row.conclusion is not None and row.conclusion.result.is_taken
        return ours or (conclusion.result is Result.SENT and not known)

    def unclaim(self, token: UUID) -> None:
        self.rows = {try_: row for try_, row in self.rows.items() if row.token != token or row.conclusion}

    def hand_over(self, due: Due, attempt: Attempt, token: UUID, lease: float) -> Iterator[float]:
        yield self.luck.random() * (40 if self.stall and self.hit(0.2) else 1)
        if lease - self.now <= TIMEOUT:
            self.unclaim(token)
            return False
        self.handed += 1
        assert self.handed <= ATTEMPTS, "more attempts than the policy allows"
        own = self.rows.get(attempt.try_)
        assert own and own.token == token, "handed over without a claim"
        assert (
            not any(row.conclusion and row.conclusion.result.is_final for row in self.rows.values()) or attempt.unknown
        )
        doubted = {
            row.provider for row in self.rows.values() if row.conclusion and row.conclusion.result is Result.UNKNOWN
        }
        assert doubted <= {own.provider}, "failed over, although another provider may have it"
        kind = self.luck.random()
        said: Accepted | Refused | Unavailable | Unknown
        if kind < 0.55:
            self.taken += 1
            said = Unknown("silence") if self.hit(0.25) else Accepted()
            self.silent += isinstance(said, Unknown)
        else:
            said = Refused("no") if kind < 0.65 else Unavailable(PROVIDER_UNAVAILABLE if kind < 0.85 else "busy")
        yield 50 * self.luck.random() if self.hit(self.stall) else self.luck.random() * TIMEOUT * 0.9
        fails_over = isinstance(said, Unavailable) and said.blames_provider and not attempt.unknown
        elsewhere = fails_over and bool(PROVIDERS - self.look().failed_by - {own.provider})
        conclusion = what_became(said, attempt, due, self.policy, now=self.time(), draw=0.0, elsewhere=elsewhere)
        yield self.luck.random()
        if self.records(attempt.try_, token, conclusion):
            self.write(self.rows[attempt.try_], conclusion)
            self.say(due, attempt.try_, conclusion)
        return True

    def say(self, due: Due, try_: int, conclusion: Conclusion) -> None:
        self.said.append(
            conclusion._replace(unknown=max(conclusion.unknown, *(row.unknown for row in self.rows.values())))
        )
        if conclusion.result in (Result.RETRY, Result.UNKNOWN):
            assert conclusion.at is not None
            at = max((conclusion.at - BEGAN).total_seconds(), self.now)
            self.timers.append((at, due.model_copy(update={"try_": try_ + 1})))

    # ------------------------------------------------------------------------------------------------------ the world

    def run(self) -> None:
        for _ in range(4000):
            for at, due in [timer for timer in self.timers if timer[0] <= self.now]:
                self.timers.remove((at, due))
                self.running += [(self.now, self.redelivered(due)) for _ in range(1 + self.hit(0.2))]
            ready = [one for one in self.running if one[0] <= self.now]
            if not ready:
                upcoming = [at for at, _ in (*self.timers, *self.running)]
                if not upcoming:
                    return
                self.now = min(upcoming)
                continue
            chosen = self.luck.choice(ready)
            self.running.remove(chosen)
            try:
                self.running.append((self.now + next(chosen[1]), chosen[1]))
            except StopIteration:
                continue
            self.now += self.luck.random() * 0.5
        raise AssertionError("never comes to rest")

    def redelivered(self, due: Due) -> Steps:
        """A sender that dies leaves its record to the next: Kafka gives it out again."""
        steps = self.deliver(due)
        for wait in steps:
            if self.hit(self.crash):
                self.running.append((self.now + 3, self.redelivered(due)))
                return
            yield wait

    def judged(self) -> None:
        final = [conclusion for conclusion in self.said if conclusion.result.is_final]
        assert final, "no end"
        sent, unknown = any(v.result.is_taken for v in final), max(v.unknown for v in self.said)
        assert self.taken or not sent, "sent, and the provider has none"
        assert self.taken - 1 <= unknown, "a copy that is not flagged"
        if not self.crash and not self.stall:
            assert unknown <= self.silent, "a hand-over that never began is called unknown"
        if self.taken and not sent:
            assert any(v.reason == "perhaps_sent" for v in final), "the provider has it, and we say that it has not"
        ends = {v.result for v in final if not v.result.is_taken}
        assert len(ends) <= 1, f"two ends: {ends}"


def violated(seeds: range, rule: Callable[..., Decision] = decide) -> str | None:
    """The first world in which something is wrong."""
    for seed in seeds:
        world = World(seed, rule)
        try:
            world.run()
            world.judged()
        except AssertionError as broken:
            return f"world {seed}: {broken}"
    return None


@pytest.mark.parametrize("part", range(4))
def test_p5_holds_in_every_world(part: int) -> None:
    assert violated(range(part * WORLDS // 4, (part + 1) * WORLDS // 4)) is None


def another_token_each_time(due: Due, past: Past, **given: Any) -> Decision:
    return decide(due, past, **given | {"token": UUID(int=0)})


def unknowns_forgotten(due: Due, past: Past, **given: Any) -> Decision:
    claims = tuple(replace(claim, unknown=0) for claim in past.claims)
    return decide(due, replace(past, claims=claims, unknown=0), **given)


def attempts_not_counted(due: Due, past: Past, **given: Any) -> Decision:
    return decide(due, replace(past, attempts=0), **given)


def ends_not_remembered(due: Due, past: Past, **given: Any) -> Decision:
    open_ = [
        claim
        for claim in past.claims
        if not (claim.conclusion and claim.conclusion.result in (Result.FAILED, Result.CANCELLED))
    ]
    return decide(due, Past.of(open_), **given)


def failed_over_whatever_happened(due: Due, past: Past, **given: Any) -> Decision:
    decision = decide(due, past, **given)
    if isinstance(decision, HandOver) and decision.lease_left is None:
        return HandOver(decision.attempt._replace(provider=None))
    return decision


@pytest.mark.parametrize(
    "broken",
    [
        another_token_each_time,
        unknowns_forgotten,
        attempts_not_counted,
        ends_not_remembered,
        failed_over_whatever_happened,
    ],
)
def test_a_rule_left_out_is_found(broken: Callable[..., Decision]) -> None:
    """The worlds are not blind."""
    assert violated(range(WORLDS), broken)
