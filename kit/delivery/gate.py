"""Whether a provider may be given anything: shut when it takes nothing or does badly, opened by who gets through."""

from collections.abc import Callable, Sequence
from math import inf
from typing import Final, NamedTuple

from kit import logs
from kit.delivery.condition import LIMITS, Ailment, Condition, Limits
from kit.delivery.outcomes import Accepted, Halted, Outcome, Unavailable, Unknown

PAUSES: Final = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
"""Seconds until the next one is let through to see, growing while it is in vain: where the provider refused us."""
LONGEST: Final = PAUSES[-1]
REST: Final = (2.0, 4.0, 8.0, 16.0, 30.0, 60.0)
"""The same where it does badly."""
STEADY: Final = 3
"""So many must get through, one after the other, until one that did badly is trusted again."""
CALM: Final = 60.0
"""Who does badly again sooner than this after he was trusted rests longer than before: traffic does not flap."""
BY_HAND: Final = 30.0
"""Seconds until it is worth coming back where somebody has paused it; nobody knows when he resumes it."""
PAUSED: Final = "paused"
"""As a reason: somebody has paused the provider or the channel, and nobody has resumed it."""

log = logs.get(__name__)


class Pass(NamedTuple):
    """The right to hand over one message: in the ordinary course, or (`probe`) to see whether it works again.

    `term` numbers the times between two turns of the gate: who went in before one says nothing about after it.
    """

    term: int
    probe: bool = False


class Gate:
    """Before one provider. Time comes from `clock`, monotonic seconds."""

    def __init__(
        self,
        name: str,
        clock: Callable[[], float],
        *,
        pauses: Sequence[float] = PAUSES,
        rest: Sequence[float] = REST,
        limits: Limits = LIMITS,
        closed_because: str | None = None,
        turned: Callable[[bool], None] = lambda _: None,
    ) -> None:
        """`closed_because`: shut for as long as the process lives. `turned` hears whether it is open."""
        self.name = name
        self.reason = closed_because
        self.detail: str | None = None
        self.ailing = False
        """Shut, but not for want of the provider's will: where there is no better one, it is used all the same."""
        self._paused = False
        self.is_open = closed_because is None
        """A plain attribute, because every message asks for it."""
        self._clock = clock
        self._pauses = {False: pauses, True: rest}
        self._turned = turned
        self._condition = Condition(limits)
        self._opens_at = inf if closed_because else 0.0
        self._opened_at = -inf
        self._times = 0
        self._steady = 0
        self._trust = 1
        self._probing = False
        self._ordinary = Pass(0)
        turned(self.is_open)

    @property
    def paused(self) -> bool:
        """By hand."""
        return self._paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._paused = paused
        self._tell()

    @property
    def serves_in_need(self) -> bool:
        """Not open, but better than nothing."""
        return self.ailing and not self.paused

    @property
    def admits(self) -> float:
        """How many may pass now: any number, one that shall see, or none."""
        if self.is_open:
            return inf
        return 0 if self.paused or self._probing or self._clock() < self._opens_at else 1

    @property
    def overdue(self) -> float:
        """Seconds for which one could have been let through to see."""
        return self._clock() - self._opens_at

    @property
    def seconds(self) -> float:
        """Until it is worth coming back; at least one, at most five minutes."""
        wait = self._opens_at - self._clock()
        return min(max(wait, BY_HAND if self.paused else 1.0), LONGEST)

    @property
    def state(self) -> str:
        """For people: `open`, `ailing`, `shut`, or `paused` by hand."""
        if self.paused:
            return PAUSED
        return "open" if self.is_open else "ailing" if self.ailing else "shut"

    @property
    def why(self) -> str | None:
        """Why it is not open."""
        return PAUSED if self.paused else self.reason

    def enter(self) -> Pass | None:
        """A pass for one; None: come back later. Whoever gets one reports by `leave`."""
        if self.is_open:
            self._condition.begun(self._clock)
            return self._ordinary
        if not self.admits:
            return None
        self._probing = True
        return Pass(self._ordinary.term, probe=True)

    def enter_in_need(self) -> Pass | None:
        """The same where there is no better one."""
        return self._ordinary if self.serves_in_need else None

    def leave(self, entered: Pass, outcome: Outcome, begun: float | None = None) -> None:
        """What came of it; `begun` by our clock, None: just now."""
        if entered.term != self._ordinary.term:
            return
        if entered.probe:
            self._probing = False
        if isinstance(outcome, Halted):
            self._shut(outcome.reason, outcome.detail, after=outcome.retry_after, alarming=outcome.alarming)
            return
        now = self._clock()
        took = 0.0 if begun is None else now - begun
        worth_a_look = self._condition.ended(now, took, bad=_blames(outcome))
        if self.reason is None:
            if worth_a_look:
                self.look()
        elif worth_a_look:
            self._in_vain(entered)
        else:
            self._got_through()

    def look(self) -> None:
        """Shuts where it does badly; to be called from time to time, for who is silent reports nothing."""
        if self.reason is None and (ailment := self._condition.ailment(self._clock())):
            self._shut(ailment.kind.value, ailment.detail, ailment=ailment)

    def _in_vain(self, entered: Pass) -> None:
        """A longer rest; the many that pass in need do not lengthen it."""
        self._steady = 0
        if entered.probe:
            self._opens_at = self._clock() + self._pause()

    def _got_through(self) -> None:
        self._steady += 1
        if self._steady >= self._trust and self._clock() >= self._opens_at:
            self._open()

    def _pause(self) -> float:
        pauses = self._pauses[self._trust == STEADY]
        pause = pauses[min(self._times, len(pauses) - 1)]
        self._times += 1
        return pause

    def _shut(
        self,
        reason: str,
        detail: str | None,
        *,
        after: float = 0.0,
        alarming: bool = False,
        ailment: Ailment | None = None,
    ) -> None:
        now = self._clock()
        if now - self._opened_at > CALM and self.reason is None:
            self._times = 0
        self._trust = STEADY if ailment else 1
        self._steady = 0
        pause = max(self._pause(), after)
        self._opens_at = now + pause
        self.reason, self.detail = reason, detail
        self.ailing = ailment is not None and not ailment.total
        self._turn()
        say = log.error if alarming else log.warning
        event = "provider_ailing" if self.ailing else "provider_takes_nothing"
        say(event, provider=self.name, reason=reason, detail=detail, seconds=pause)

    def _open(self) -> None:
        log.info("provider_takes_again", provider=self.name, after=self.reason)
        if self._trust == 1:
            self._times = 0
        self.reason = self.detail = None
        self.ailing = False
        self._opened_at = self._clock()
        self._turn()

    def _turn(self) -> None:
        self._ordinary = Pass(self._ordinary.term + 1)
        self._probing = False
        self._condition.forget()
        self._tell()

    def _tell(self) -> None:
        self.is_open = self.reason is None and not self._paused
        self._turned(self.is_open)


def _blames(outcome: Outcome) -> bool:
    """Whether the provider is to blame for it. What nobody knows, he left unsaid."""
    if isinstance(outcome, Accepted):
        return False
    return isinstance(outcome, Unknown) or (isinstance(outcome, Unavailable) and outcome.blames_provider)
