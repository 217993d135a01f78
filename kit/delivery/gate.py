"""Whether a provider may be given anything: shut when it takes nothing from us, opened by one that gets through."""

from collections.abc import Callable, Sequence
from enum import Enum, auto
from math import inf
from typing import Final

from kit import logs
from kit.delivery.outcomes import Halted

PAUSES: Final = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
"""Seconds until the next one is let through to see, growing while it is in vain."""
LONGEST: Final = PAUSES[-1]

log = logs.get(__name__)


class Pass(Enum):
    """The right to hand over one message: in the ordinary course, or to see whether it works again."""

    ORDINARY = auto()
    PROBE = auto()


class Gate:
    """Before one provider. Time comes from `clock`, monotonic seconds."""

    def __init__(
        self,
        name: str,
        clock: Callable[[], float],
        *,
        pauses: Sequence[float] = PAUSES,
        closed_because: str | None = None,
    ) -> None:
        """`closed_because`: shut for as long as the process lives."""
        self.name = name
        self.reason = closed_because
        self.detail: str | None = None
        self._clock = clock
        self._pauses = pauses
        self._opens_at = inf if closed_because else 0.0
        self._times = 0
        self._probing = False

    @property
    def is_open(self) -> bool:
        return self.reason is None

    @property
    def admits(self) -> float:
        """How many may pass now: any number, one that shall see, or none."""
        if self.is_open:
            return inf
        return 0 if self._probing or self._clock() < self._opens_at else 1

    @property
    def seconds(self) -> float:
        """Until it is worth coming back; at least one, at most five minutes."""
        return min(max(self._opens_at - self._clock(), 1.0), LONGEST)

    def enter(self) -> Pass | None:
        """A pass for one; None: come back later. Whoever gets one reports by `leave`."""
        if self.is_open:
            return Pass.ORDINARY
        if not self.admits:
            return None
        self._probing = True
        return Pass.PROBE

    def leave(self, entered: Pass, halted: Halted | None) -> None:
        """What came of it: the provider takes nothing (`halted`), or it said something about the message."""
        if entered is Pass.PROBE:
            self._probing = False
        if halted:
            if self.is_open or entered is Pass.PROBE:
                self._shut(halted)
        elif entered is Pass.PROBE:
            self._open()

    def _shut(self, halted: Halted) -> None:
        pause = max(self._pauses[min(self._times, len(self._pauses) - 1)], halted.retry_after)
        self._times += 1
        self._opens_at = self._clock() + pause
        self.reason, self.detail = halted.reason, halted.detail
        say = log.error if halted.alarming else log.warning
        say("provider_takes_nothing", provider=self.name, reason=halted.reason, detail=halted.detail, seconds=pause)

    def _open(self) -> None:
        log.info("provider_takes_again", provider=self.name, after=self.reason)
        self.reason = self.detail = None
        self._times = 0
