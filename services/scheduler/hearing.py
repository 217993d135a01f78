"""Who was away hears first what was said meanwhile: what is overdue may have been moved, stopped or closed (P4.5)."""

from collections.abc import Callable
from typing import Final

from contracts.topics import Group
from kit import logs
from kit.clock import monotonic, utc_now
from kit.restored.looking import marks_now, passed_by_now
from kit.restored.rules import Mark
from kit.service import Repeating
from kit.settings import KafkaSettings

EVERY: Final = 0.3
"""Seconds between two looks, while there is anything to be heard."""
AWAY: Final = 10.0
"""Who has not asked for so many seconds was away: not started, suspended, or without a database."""
SAY_AGAIN: Final = 30.0

log = logs.get(__name__)


class Hearing(Repeating):
    """Whether a group has come to where its topics ended when whoever fires by what it hears was there (again).

    Without Kafka that is not known, and nothing could be fired either.
    """

    def __init__(self, kafka: KafkaSettings, group: Group, clock: Callable[[], float] = monotonic) -> None:
        """`clock` counts seconds."""
        super().__init__("hearing", self.once, EVERY)
        self._kafka = kafka
        self._group = group
        self._clock = clock
        self._asked_at = clock() - AWAY
        self._said_at = clock() - SAY_AGAIN
        self._times_away = 0
        self._left: list[Mark] | None = None
        """None: where the topics end is still to be found out."""

    def may_fire(self) -> bool:
        """Asked whenever somebody has looked what is due: who has not for a while begins anew."""
        now, before = self._clock(), self._asked_at
        self._asked_at = now
        if now - before >= AWAY:
            self._times_away += 1
            self._left = None
            self.wake()
        return self._left == []

    async def once(self) -> None:
        """One look, while there is anything to be heard. Raises what Kafka raises."""
        if self._left == []:
            return
        marks, times_away = self._left, self._times_away
        if marks is None:
            marks = await marks_now(self._kafka, self._group, utc_now())
        done = set(await passed_by_now(self._kafka, marks)) if marks else set()
        if times_away == self._times_away:  # who was away meanwhile has found out where the topics ended before that
            self._left = [mark for mark in marks if mark not in done]
            self._say(self._left)

    def _say(self, left: list[Mark]) -> None:
        if left and self._clock() - self._said_at >= SAY_AGAIN:
            self._said_at = self._clock()
            log.info("hears_first", group=self._group.name, partitions=len(left))
