"""When to try again, and when that would be too late. Pure: the time and the draw come in as arguments."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

Window = tuple[datetime, datetime]
"""From the first instant up to, and without, the second: in it an attempt is allowed."""

DAY: Final = 86_400.0


class Over(StrEnum):
    """Why there is no next attempt."""

    ATTEMPTS = "attempts"
    BUDGET = "budget"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`delays` in seconds before attempt 2, 3, ..., the last one repeats; `max_attempts` counts the first one too.

    `budget_seconds`: no attempt begins later than this after the first.
    """

    delays: tuple[float, ...]
    max_attempts: int
    budget_seconds: float

    def delay(self, attempts: int) -> float:
        """Seconds to wait after so many attempts."""
        return self.delays[min(max(attempts, 1), len(self.delays)) - 1]


PATIENT: Final = RetryPolicy(delays=(900.0, 1800.0, 3600.0, 7200.0, 14_400.0), max_attempts=1000, budget_seconds=DAY)
"""For what only the recipient can mend, such as a full mailbox: up to a day."""


def next_attempt(
    policy: RetryPolicy,
    attempts: int,
    *,
    now: datetime,
    random: float,
    first_at: datetime,
    expires_at: datetime,
    retry_after: float = 0.0,
    windows: Iterable[Window] | None = None,
) -> datetime | Over:
    """The instant of the attempt that follows `attempts` of them, or why there is none (P5.3).

    The delay is drawn between its half and its whole by `random` (0 <= random < 1), so that those who failed together
    do not come back together. `retry_after` seconds, the provider's own word, are kept at least. `windows` are the
    allowed hours; None = always. The budget is not asked about hours that are waited for.
    """
    if attempts >= policy.max_attempts:
        return Over.ATTEMPTS
    wait = max(policy.delay(attempts) * (0.5 + random / 2), retry_after)
    at = now + timedelta(seconds=wait)
    if at > first_at + timedelta(seconds=policy.budget_seconds):
        return Over.BUDGET
    allowed = at if windows is None else moved_into(at, windows)
    return Over.EXPIRED if allowed is None or allowed >= expires_at else allowed


def moved_into(at: datetime, windows: Iterable[Window]) -> datetime | None:
    """`at` itself where a window holds it, else the beginning of the next one; None when none is left."""
    later = [max(at, begin) for begin, end in windows if end > at]
    return min(later, default=None)
