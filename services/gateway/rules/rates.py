"""How often one caller may ask in a minute of the clock: what is left of it, and when it begins anew."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from kit.retry import Window

MINUTE: Final = timedelta(minutes=1)
FIELDS: Final = ("RateLimit-Policy", "RateLimit", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


class Rate(NamedTuple):
    """Of the `most` calls of this minute so many are `left`; it begins anew in `seconds`, one at least."""

    most: int
    left: int
    seconds: int


def minute_of(now: datetime) -> Window:
    """The minute of the clock that `now` lies in."""
    begun = now.replace(second=0, microsecond=0)
    return begun, begun + MINUTE


def rate(most: int, used: int, now: datetime) -> Rate:
    """What `used` calls leave of `most`."""
    ahead = minute_of(now)[1] - now
    return Rate(most, max(most - used, 0), max(-(-ahead // timedelta(seconds=1)), 1))


def fields(rate: Rate) -> list[tuple[str, str]]:
    """The header fields that say so: those of draft-ietf-httpapi-ratelimit-headers (10), and the three of its older
    editions, which more clients know."""
    policy, left = f'"minute";q={rate.most};w={MINUTE.seconds}', f'"minute";r={rate.left};t={rate.seconds}'
    return list(zip(FIELDS, (policy, left, str(rate.most), str(rate.left), str(rate.seconds)), strict=True))
