"""What is said to the scheduler: remember this for later, or not any more."""

from collections.abc import Sequence

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

    async def __call__(self, connection: Connection, batch: Sequence[Message]) -> Sequence[Outgoing]:
        """In the stage's transaction; publishes nothing."""
        found = (rules.change(message.event, message.received.value) for message in batch)
        changes = [change for change in found if change is not None]
        await arming.make(connection, changes)
        self._alarm.arming(change.fire_after for change in changes if isinstance(change, Timer))
        return ()
