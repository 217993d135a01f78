"""What is said about a hand-over: always made from its claim, so that a repeat says the same thing again (P5.1)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from contracts.events import Delivered, Due, Event, Failed, Retry, Sent, Taken, Undelivered
from contracts.status import Status
from kit.delivery.rules import Claim, Past, Result, Verdict, failed

TOO_LARGE: Final = "too_large"

TAKEN_EVENTS: Mapping[Result, type[Taken]] = {
    Result.SENT: Sent,
    Result.DELIVERED: Delivered,
    Result.UNDELIVERED: Undelivered,
}


def outcome(
    verdict: Verdict,
    about: Mapping[str, Any],
    *,
    try_: int,
    attempt: int,
    unknown: int,
    provider: str | None,
    instead_of: str | None = None,
) -> Event:
    """`sent` or `failed`. `about` are the notification's common fields, `unknown` the highest count of any claim,
    `instead_of` the provider before, if that was another one."""
    if instead_of:
        about = {**about, "instead_of": instead_of}
    # The one that nearly all are is not looked for: an enum's hash is dear.
    if kind := Sent if verdict.result is Result.SENT else TAKEN_EVENTS.get(verdict.result):
        return kind(
            **about,
            try_=try_,
            unknown=unknown,
            attempt=attempt,
            provider=provider,
            provider_id=verdict.provider_id,
            at=verdict.at,
            detail=verdict.detail,
            segments=verdict.segments,
            encoding=verdict.encoding,
            suppress=verdict.suppress,
        )
    return Failed(
        **about,
        outcome=Status(verdict.result.value),
        reason=verdict.reason or "",
        detail=verdict.detail,
        try_=try_,
        attempt=attempt,
        unknown=unknown,
        provider=provider,
        suppress=verdict.suppress,
    )


def retry(
    verdict: Verdict,
    due: Due,
    *,
    try_: int,
    attempt: int,
    unknown: int,
    first_at: datetime,
    provider: str | None,
    instead_of: str | None = None,
) -> Retry:
    """Once more, as the next try; T, the bytes and the first attempt's time travel in it (P5.3)."""
    assert verdict.at is not None
    return Retry(
        **due.passed_on(),
        at=verdict.at,
        due=due.model_copy(update={"try_": try_ + 1, "first_at": first_at}),
        unknown=unknown,
        attempt=attempt,
        provider=provider,
        instead_of=instead_of,
        reason=verdict.reason or "",
        detail=verdict.detail,
    )


def hold(due: Due, until: datetime, reason: str, *, attempt: int, unknown: int, detail: str | None = None) -> Retry:
    """The same `due` again at `until`, the same try: no attempt is used."""
    return Retry(
        **due.passed_on(), at=until, due=due, hold=True, unknown=unknown, attempt=attempt, reason=reason, detail=detail
    )


def again(verdict: Verdict, claim: Claim, due: Due, past: Past, now: datetime) -> Event:
    """What was said about `claim`, once more."""
    attempt = sum(one.hand_overs for one in past.claims if one.try_ <= claim.try_)
    instead_of = past.instead_of(claim.try_, claim.provider)
    if verdict.result in (Result.RETRY, Result.UNKNOWN):
        return retry(
            verdict,
            due,
            try_=claim.try_,
            attempt=attempt,
            unknown=verdict.unknown,
            first_at=past.first_at(due, now),
            provider=claim.provider,
            instead_of=instead_of,
        )
    return outcome(
        verdict,
        due.passed_on(),
        try_=claim.try_,
        attempt=attempt,
        unknown=past.unknown,
        provider=claim.provider,
        instead_of=instead_of,
    )


def too_large(retry: Retry) -> tuple[Verdict, Event]:
    """What is written and said instead of a `retry` that Kafka refuses for its size: the end, not a silence until it
    expires."""
    ended = failed(TOO_LARGE, f"{retry.reason}: Kafka does not take its retry, which is too large", retry.unknown)
    verdict = ended._replace(hand_overs=0 if retry.hold else 1)
    return verdict, outcome(
        verdict,
        retry.passed_on(),
        try_=retry.due.try_,
        attempt=retry.attempt,
        unknown=retry.unknown,
        provider=retry.provider,
        instead_of=retry.instead_of,
    )
