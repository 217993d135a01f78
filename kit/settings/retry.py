"""How often a channel tries, as data."""

from typing import Annotated, Final

from pydantic import Field

from contracts.status import Lane
from kit.retry import RetryPolicy
from kit.settings.values import Seconds, Section

URGENT_DELAYS: Final = (5.0, 30.0, 120.0)


class RetryDelays(Section):
    """Seconds between the attempts of one lane, in order; the last one repeats."""

    urgent: tuple[Seconds, ...] | None = Field(default=None, min_length=1)
    normal: tuple[Seconds, ...] | None = Field(default=None, min_length=1)
    bulk: tuple[Seconds, ...] | None = Field(default=None, min_length=1)


class RetrySettings(Section):
    """How often a channel tries. `max_attempts` counts hand-overs to a provider."""

    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    retry_delay_seconds: Seconds = 300.0
    delays: RetryDelays = RetryDelays()
    budget_seconds: Seconds | None = None

    def policy(self, lane: Lane) -> RetryPolicy:
        """What the settings say about one lane, as the rule that is applied."""
        return RetryPolicy(self._delays_of(lane), self.max_attempts, self._budget_of(lane))

    def _delays_of(self, lane: Lane) -> tuple[float, ...]:
        """Seconds before attempt 2, 3, ... of that lane: as given, else doubling; urgent quicker, never slower."""
        given: tuple[float, ...] | None = getattr(self.delays, lane.value)
        gaps = max(self.max_attempts - 1, 1)
        if given is not None:
            return (given + given[-1:] * gaps)[:gaps]
        doubling = tuple(self.retry_delay_seconds * 2**gap for gap in range(gaps))
        if lane is not Lane.URGENT:
            return doubling
        quick = (URGENT_DELAYS + URGENT_DELAYS[-1:] * gaps)[:gaps]
        return tuple(map(min, quick, doubling))

    def _budget_of(self, lane: Lane) -> float:
        """Seconds after the first attempt in which another may begin: as given, else the default life of a lane."""
        return self.budget_seconds or (3600.0 if lane is Lane.URGENT else 72 * 3600.0)
