"""What is said to the scheduler: remember this for later, or not any more."""

from collections.abc import Sequence
from datetime import datetime

from kit.bus.record import Outgoing
from kit.postgres import Connection
from kit.stage import Message
from services.scheduler import arming
from services.scheduler.alarm import Alarm
from services.scheduler.rules import timers as rules
from services.scheduler.rules.timers import Timer


class Remember:
    """The handler of `scheduled` and `retry`: a batch of events becomes a batch of timers."""

    def __init__(self, alarm: Alarm) -> None:
        self._alarm = alarm
        self._nearest: datetime | None = None

    async def __call__(self, connection: Connection, batch: Sequence[Message]) -> Sequence[Outgoing]:
        """In the stage's transaction; publishes nothing."""
        found = (rules.change(message.event, message.received.value) for message in batch)
        changes = [change for change in found if change is not None]
        await arming.make(connection, changes)
        instants = [change.fire_after for change in changes if isinstance(change, Timer)]
        # A batch may be judged in pieces; what is rolled back among them wakes for nothing.
        self._nearest = min([*instants, *([self._nearest] if self._nearest else [])], default=None)
        return ()

    def committed(self, _: Sequence[Outgoing]) -> None:
        """The batch is stored: whoever sleeps past its first instant wakes up."""
        nearest, self._nearest = self._nearest, None
        if nearest is not None:
            self._alarm.armed(nearest)
