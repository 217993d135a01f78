"""What is said about a hand-over: always made from its claim, so that a repeat says the same thing again (P5.1)."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from contracts.events import Delivered, Due, Event, Failed, Retry, Sent, Taken, Undelivered
from contracts.status import Status
from kit.delivery.rules import Claim, Conclusion, Past, Result, failed
from kit.delivery.store.results import Unsaid

TOO_LARGE: Final = "too_large"

TAKEN_EVENTS: Mapping[Result, type[Taken]] = {
    Result.SENT: Sent,
    Result.DELIVERED: Delivered,
    Result.UNDELIVERED: Undelivered,
}


def outcome(
    conclusion: Conclusion,
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
    if kind := Sent if conclusion.result is Result.SENT else TAKEN_EVENTS.get(conclusion.result):
        return kind(
            **about,
            try_=try_,
            unknown=unknown,
            attempt=attempt,
            provider=provider,
            provider_id=conclusion.provider_id,
            at=conclusion.at,
            detail=conclusion.detail,
            segments=conclusion.segments,
            encoding=conclusion.encoding,
            suppress=conclusion.suppress,
        )
    return Failed(
        **about,
        outcome=Status(conclusion.result.value),
        reason=conclusion.reason or "",
        detail=conclusion.detail,
        try_=try_,
        attempt=attempt,
        unknown=unknown,
        provider=provider,
        suppress=conclusion.suppress,
    )


def unsaid(one: Unsaid) -> Event:
    """What its claim says, long after it was handed over."""
    return outcome(
        one.conclusion,
        json.loads(one.about),
        try_=one.try_,
        attempt=one.attempt,
        unknown=one.unknown,
        provider=one.provider,
    )


def retry(
    conclusion: Conclusion,
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
    assert conclusion.at is not None
    return Retry(
        **due.passed_on(),
        at=conclusion.at,
        due=due.model_copy(update={"try_": try_ + 1, "first_at": first_at}),
        unknown=unknown,
        attempt=attempt,
        provider=provider,
        instead_of=instead_of,
        reason=conclusion.reason or "",
        detail=conclusion.detail,
    )


def hold(due: Due, until: datetime, reason: str, *, attempt: int, unknown: int, detail: str | None = None) -> Retry:
    """The same `due` again at `until`, the same try: no attempt is used."""
    return Retry(
        **due.passed_on(), at=until, due=due, hold=True, unknown=unknown, attempt=attempt, reason=reason, detail=detail
    )


def again(conclusion: Conclusion, claim: Claim, due: Due, past: Past, now: datetime) -> Event:
    """What was said about `claim`, once more."""
    attempt = sum(one.hand_overs for one in past.claims if one.try_ <= claim.try_)
    instead_of = past.instead_of(claim.try_, claim.provider)
    if conclusion.result in (Result.RETRY, Result.UNKNOWN):
        return retry(
            conclusion,
            due,
            try_=claim.try_,
            attempt=attempt,
            unknown=conclusion.unknown,
            first_at=past.first_at(due, now),
            provider=claim.provider,
            instead_of=instead_of,
        )
    return outcome(
        conclusion,
        due.passed_on(),
        try_=claim.try_,
        attempt=attempt,
        unknown=past.unknown,
        provider=claim.provider,
        instead_of=instead_of,
    )


def too_large(retry: Retry) -> tuple[Conclusion, Event]:
    """What is written and said instead of a `retry` that Kafka refuses for its size: the end, not a silence until it
    expires."""
    ended = failed(TOO_LARGE, f"{retry.reason}: Kafka does not take its retry, which is too large", retry.unknown)
    conclusion = ended._replace(hand_overs=0 if retry.hold else 1)
    return conclusion, outcome(
        conclusion,
        retry.passed_on(),
        try_=retry.due.try_,
        attempt=retry.attempt,
        unknown=retry.unknown,
        provider=retry.provider,
        instead_of=retry.instead_of,
    )
