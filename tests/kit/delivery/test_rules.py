"""P5, sentence by sentence: what the claims say, and what is to be done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.events import Due, Failed, Retry, Sent
from contracts.status import Channel, End, Lane
from kit.delivery import events
from kit.delivery.outcomes import Accepted, Refused, Unavailable, Unknown
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
    first_attempt,
    what_became,
)
from kit.retry import RetryPolicy

NOW = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
OURS, THEIRS = uuid4(), uuid4()
LEASE_END = NOW + timedelta(seconds=30)
POLICY = Policy(RetryPolicy(delays=(100.0,), max_attempts=3, budget_seconds=7200.0))
FAIL = replace(POLICY, on_unknown="fail")


def seconds(n: float) -> timedelta:
    return timedelta(seconds=n)


def due(try_: int = 1, **fields: Any) -> Due:
    return Due(
        id=UUID(int=1),
        channel=Channel.EMAIL,
        lane=Lane.NORMAL,
        accepted_at=NOW,
        owner="user:alice",
        round=0,
        try_=try_,
        at=NOW,
        **({"expires_at": NOW + timedelta(hours=1)} | fields),
    )


def claim(try_: int = 1, *, token: UUID | None = THEIRS, live: bool = False, **fields: Any) -> Claim:
    told = {"lease_left": 30.0 if live else -1.0, "held_until": LEASE_END, "made_at": NOW - seconds(60)} | fields
    return Claim(try_=try_, token=token, live=live, provider="smtp", **told)


def done(result: Result, try_: int = 1, **fields: Any) -> Claim:
    hands = fields.pop("hand_overs", 1)
    conclusion = Conclusion(result, hand_overs=hands, **({"at": NOW, "reason": "r"} | fields))
    return claim(try_, unknown=conclusion.unknown, hand_overs=hands, conclusion=conclusion)


SENT, FAILED = done(Result.SENT), done(Result.FAILED)
RETRY = done(Result.RETRY, at=NOW - seconds(1))
UNKNOWN = done(Result.UNKNOWN, at=NOW - seconds(1), unknown=1)
LIVE, OVER = claim(live=True), claim()


def decided(one: Due, *claims: Claim, policy: Policy = POLICY, now: datetime = NOW) -> Decision:
    return decide(one, Past.of(claims), now=now, token=OURS, policy=policy, draw=0.0)


# ------------------------------------------------------------------------------------------------------------- P5.1


def test_p5_1_none_is_claimed() -> None:
    assert decided(due()) == HandOver(Attempt(try_=1, number=1, unknown=0, first_at=NOW))


@pytest.mark.parametrize("claims", [(SENT,), (SENT, replace(RETRY, try_=2)), (RETRY, done(Result.DELIVERED, 2))])
@pytest.mark.parametrize("try_", [1, 2, 9])
@pytest.mark.parametrize("end", [None, End.CANCELLED])
def test_p5_1_any_taken_by_a_provider_is_said_again(claims: tuple[Claim, ...], try_: int, end: End | None) -> None:
    """Whatever its try, and whatever is asked for."""
    say = decided(due(try_, end=end), *claims)
    assert isinstance(say, Say) and say.conclusion.result.is_taken


def test_p5_1_taken_comes_before_every_other_end() -> None:
    """An acceptance that came late stands beside the end that somebody wrote meanwhile."""
    say = decided(due(), SENT, done(Result.FAILED, 2))
    assert isinstance(say, Say) and say.claim is SENT


@pytest.mark.parametrize("one", [due(), due(2), due(end=End.CANCELLED), due(expires_at=NOW - seconds(9))])
def test_p5_1_a_live_lease_holds(one: Due) -> None:
    """To the lease's end; nobody knows better what becomes of it."""
    assert decided(one, LIVE) == Hold(LEASE_END)
    assert decided(one, RETRY, claim(2, live=True)) == Hold(LEASE_END)


def test_p5_1_our_own_live_claim_is_no_strangers() -> None:
    """Only the acknowledgement of its commit was lost: the token is drawn once per delivery."""
    ours = claim(live=True, token=OURS)
    decision = decided(due(), ours)
    assert decision == HandOver(Attempt(1, 1, 0, NOW - seconds(60), "smtp"), lease_left=30.0)


def test_p5_1_our_own_claim_that_is_over_began_nothing() -> None:
    assert decided(due(), claim(token=OURS)) == Unclaim()


@pytest.mark.parametrize("one", [due(), due(2), due(end=End.EXPIRED)])
def test_p5_1_over_without_a_result_is_marked_unknown(one: Due) -> None:
    mark = decided(one, OVER)
    assert isinstance(mark, MarkUnknown) and mark.claim is OVER
    assert (mark.conclusion.result, mark.conclusion.unknown, mark.conclusion.at) == (
        Result.UNKNOWN,
        1,
        NOW + seconds(50),
    )


@pytest.mark.parametrize("claims", [(RETRY,), (UNKNOWN,), (RETRY, replace(RETRY, try_=2))])
def test_p5_1_a_higher_try_claims(claims: tuple[Claim, ...]) -> None:
    decision = decided(due(len(claims) + 1), *claims)
    assert isinstance(decision, HandOver)
    assert (decision.attempt.try_, decision.attempt.number) == (len(claims) + 1, len(claims) + 1)


@pytest.mark.parametrize("try_", [1, 2])
def test_p5_1_otherwise_the_highest_claims_result_again(try_: int) -> None:
    """A repeat of an old try moves nothing: T was computed once and is said again."""
    highest = replace(RETRY, try_=2)
    say = decided(due(try_), RETRY, highest)
    assert isinstance(say, Say) and say.claim is highest


@pytest.mark.parametrize("result", [Result.FAILED, Result.EXPIRED, Result.CANCELLED])
@pytest.mark.parametrize("try_", [1, 5])
def test_p5_1_an_end_stays_an_end(result: Result, try_: int) -> None:
    say = decided(due(try_), RETRY, done(result, 2))
    assert isinstance(say, Say) and say.conclusion.result is result


# ------------------------------------------------------------------------------------------------------- P5.2, P5.3


def attempt(number: int = 1, unknown: int = 0) -> Attempt:
    return Attempt(number, number, unknown, NOW)


def judged(outcome: Any, one: Due | None = None, policy: Policy = POLICY, **made: int) -> Conclusion:
    return what_became(outcome, attempt(**made), one or due(), policy, now=NOW, draw=0.0)


NOBODY_KNOWS = Unknown("unknown_outcome", "silence")
BUSY = Unavailable("provider_unavailable", "421")


def test_p5_2_an_unknown_is_resent_by_retry_and_counted() -> None:
    conclusion = judged(NOBODY_KNOWS)
    assert (conclusion.result, conclusion.at, conclusion.unknown) == (Result.UNKNOWN, NOW + seconds(50), 1)
    next_one = decided(due(2), UNKNOWN)
    assert isinstance(next_one, HandOver) and next_one.attempt.unknown == 1


def test_p5_2_a_resend_stays_with_its_provider() -> None:
    """Never failed over: another provider could not notice the copy."""
    resend, other = decided(due(2), UNKNOWN), decided(due(2), RETRY)
    assert isinstance(resend, HandOver) and resend.attempt.provider == "smtp"
    assert isinstance(other, HandOver) and other.attempt.provider is None


@pytest.mark.parametrize("outcome", [NOBODY_KNOWS])
def test_p5_2_policy_fail_ends_as_perhaps_sent(outcome: Unknown) -> None:
    conclusion = judged(outcome, policy=FAIL)
    assert (conclusion.result, conclusion.reason, conclusion.unknown) == (Result.FAILED, "perhaps_sent", 1)
    mark = decided(due(), OVER, policy=FAIL)
    assert isinstance(mark, MarkUnknown) and mark.conclusion.reason == "perhaps_sent"


@pytest.mark.parametrize(
    ("outcome", "made", "one"),
    [
        (Refused("recipient_refused"), {"unknown": 1}, due()),
        (BUSY, {"unknown": 1, "number": 3}, due()),
        (NOBODY_KNOWS, {"number": 3}, due()),
        (NOBODY_KNOWS, {}, due(expires_at=NOW + seconds(1))),
        (BUSY, {"unknown": 2}, due(expires_at=NOW + seconds(1))),
    ],
)
def test_p5_2_after_an_unknown_the_only_ends_are_taken_or_perhaps_sent(outcome: Any, made: Any, one: Due) -> None:
    conclusion = judged(outcome, one, **made)
    assert (conclusion.result, conclusion.reason) == (Result.FAILED, "perhaps_sent")
    assert judged(Accepted(), one, **made).result is Result.SENT


@pytest.mark.parametrize("late", [due(2, expires_at=NOW), due(2, end=End.CANCELLED), due(2, end=End.EXPIRED)])
def test_p5_2_whatever_expires_or_is_cancelled_later(late: Due) -> None:
    finish = decided(late, UNKNOWN)
    assert isinstance(finish, Finish)
    assert (finish.conclusion.result, finish.conclusion.reason) == (Result.FAILED, "perhaps_sent")


def test_p5_3_a_failure_is_retried_at_t() -> None:
    assert judged(BUSY) == Conclusion(Result.RETRY, NOW + seconds(50), 0, 1, "provider_unavailable", "421")


def test_p5_3_attempts_are_hand_overs_counted_in_the_claims() -> None:
    """Unknown ones count, ends without a hand-over do not; the number in the message says nothing."""
    past = (UNKNOWN, done(Result.RETRY, 2, unknown=1), done(Result.RETRY, 3, hand_overs=0))
    decision = decided(due(9), *past)
    assert isinstance(decision, HandOver) and (decision.attempt.try_, decision.attempt.number) == (9, 3)


def test_p5_3_attempts_end_with_the_cause_of_the_last() -> None:
    conclusion = judged(BUSY, number=3)
    assert (conclusion.result, conclusion.reason, conclusion.detail) == (Result.FAILED, "provider_unavailable", "421")


def test_p5_3_t_at_or_after_the_expiry_ends_it_now() -> None:
    assert judged(BUSY, due(expires_at=NOW + seconds(50))).result is Result.EXPIRED
    assert judged(BUSY, due(expires_at=NOW + seconds(51))).result is Result.RETRY


def test_p5_3_t_moves_into_the_allowed_hours() -> None:
    morning = NOW + seconds(1800)
    conclusion = judged(BUSY, due(windows=((morning, morning + seconds(60)),)))
    assert conclusion.at == morning


def test_p5_3_never_before_the_providers_word() -> None:
    assert judged(replace(BUSY, retry_after=70.0)).at == NOW + seconds(70)


def test_p5_3_a_full_mailbox_is_tried_longer() -> None:
    full = Unavailable("mailbox_full", patient=True)
    assert judged(full, due(expires_at=NOW + timedelta(days=3)), number=7).result is Result.RETRY


def test_p5_3_the_first_attempts_time_is_the_claims_when_the_due_does_not_know_it() -> None:
    decision = decided(due(2), RETRY)
    assert isinstance(decision, HandOver) and decision.attempt.first_at == RETRY.made_at
    given = decided(due(2, first_at=NOW - timedelta(hours=1)), RETRY)
    assert isinstance(given, HandOver) and given.attempt.first_at == NOW - timedelta(hours=1)


# ------------------------------------------------------------------------------------------------------------- P5.4


@pytest.mark.parametrize("now", [NOW, NOW + seconds(1)])
def test_p5_4_what_has_expired_is_not_handed_over(now: datetime) -> None:
    finish = decided(due(2, expires_at=NOW), RETRY, now=now)
    assert finish == Finish(2, Conclusion(Result.EXPIRED, reason="expired"))


def test_p5_1_a_first_attempt_is_what_the_rules_say_where_there_is_no_claim() -> None:
    """Claimed at once, without asking them."""
    for one in (due(), due(first_at=NOW - seconds(5))):
        assert decided(one) == HandOver(first_attempt(one, NOW))


# ------------------------------------------------------------------------------------------------------------- P5.8


@pytest.mark.parametrize(
    ("end", "result"),
    [
        (End.CANCELLED, Result.CANCELLED),
        (End.EXPIRED, Result.EXPIRED),
        (End.COLLAPSED, Result.CANCELLED),
        (End.FORGOTTEN, Result.CANCELLED),
    ],
)
def test_p5_8_an_end_writes_a_final_claim(end: End, result: Result) -> None:
    """Of the highest try plus one, holding the end."""
    assert decided(due(end=end, end_reason="why")) == Finish(1, Conclusion(result, reason=end.value, detail="why"))
    assert decided(due(end=end, end_reason=end.value)) == Finish(1, Conclusion(result, reason=end.value)), (
        "no word twice"
    )
    finish = decided(due(end=end), RETRY, replace(RETRY, try_=2))
    assert isinstance(finish, Finish) and finish.try_ == 3


def test_p5_8_what_was_under_way_finds_the_end_when_it_arrives() -> None:
    """In a lane that is late, or in a retry's timer."""
    ended = done(Result.CANCELLED, 2, hand_overs=0)
    for one in (due(1), due(2), due(3)):
        say = decided(one, RETRY, ended)
        assert isinstance(say, Say) and say.claim is ended


# ------------------------------------------------------------------------------------------------------- the events


def again(one: Due, *claims: Claim) -> Any:
    past = Past.of(claims)
    say = decide(one, past, now=NOW, token=OURS, policy=POLICY, draw=0.0)
    assert isinstance(say, Say)
    return events.again(say.conclusion, say.claim, one, past, NOW)


def test_a_repeat_says_the_same_event() -> None:
    """Id for id, whatever try the repeat has; every outcome carries the highest count of unknown hand-overs."""
    taken = done(Result.SENT, 2, unknown=1, provider_id="p-7")
    first, second = again(due(1), UNKNOWN, taken), again(due(3), UNKNOWN, taken)
    assert isinstance(first, Sent)
    assert (first.try_, first.attempt, first.unknown, first.provider_id) == (2, 2, 1, "p-7")
    assert first == second and first.ce_id == second.ce_id


def test_a_retry_said_again_is_the_same_retry() -> None:
    said = [again(one, RETRY) for one in (due(), due())]
    assert isinstance(said[0], Retry) and said[0].ce_id == said[1].ce_id
    assert (said[0].at, said[0].due.try_, said[0].due.first_at) == (RETRY.conclusion.at, 2, RETRY.made_at)  # type: ignore[union-attr]


def test_an_end_said_again_is_the_same_end() -> None:
    said = again(due(), done(Result.FAILED, reason="recipient_refused", detail="550"))
    assert isinstance(said, Failed)
    assert (said.outcome, said.reason, said.detail, said.try_, said.attempt) == (
        "failed",
        "recipient_refused",
        "550",
        1,
        1,
    )


def test_a_hold_keeps_the_try_and_names_the_leases_end() -> None:
    one = due(2)
    first, second = (events.hold(one, LEASE_END, "in_flight", attempt=1, unknown=0) for _ in range(2))
    assert first.hold and first.due == one and first.ce_id == second.ce_id
    other = events.hold(one, LEASE_END + seconds(1), "in_flight", attempt=1, unknown=0)
    assert all(left.ce_id != right.ce_id for left, right in pairwise((first, other)))
