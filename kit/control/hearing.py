"""An order that is for us is written down; it is done by whoever comes first."""

from collections.abc import Callable, Collection, Sequence

from contracts import events as e
from contracts.jobs import PAUSE, RESUME
from kit.bus.record import Outgoing
from kit.control import store
from kit.control.store import Kind, Order, Switch
from kit.postgres import Connection
from kit.stage import Message


class Hearing:
    """The handler of `ops.control` in one service: `commands` are those it knows beside `pause` and `resume`.

    What is addressed to it by name is written down even if it does not know it, so that the one who asked gets an
    answer. A switch is stored in the same transaction: it holds from then on, whether or not anybody has answered.
    """

    def __init__(self, service: str, commands: Collection[str], wake: Callable[[], None]) -> None:
        self._service = service
        self._commands = frozenset(commands)
        self._wake = wake

    async def __call__(self, connection: Connection, batch: Sequence[Message]) -> Sequence[Outgoing]:
        """In the stage's transaction; publishes nothing."""
        ours = [message for message in batch if self._is_ours(message.event)]
        await store.write_down(connection, [order for message in ours if (order := _order(message))])
        await store.turn(connection, [one for message in ours if (one := _switch(message))])
        return ()

    def committed(self, _: Sequence[Outgoing]) -> None:
        """The batch is stored: whoever runs orders here need not wait for his next look."""
        self._wake()

    def _is_ours(self, event: e.Event) -> bool:
        if not isinstance(event, e.Control):
            return False
        return event.service == self._service or (event.service is None and event.command in self._commands)


def switch_of(command: str, args: dict[str, object]) -> tuple[Kind, str] | None:
    """What a `pause` or `resume` is about, by its arguments `provider` or `channel`; None for everything else."""
    if command not in (PAUSE, RESUME):
        return None
    kinds: tuple[Kind, ...] = ("provider", "channel")
    named = [(kind, name) for kind in kinds if isinstance(name := args.get(kind), str) and name]
    return named[0] if len(named) == 1 else None


def _order(message: Message) -> Order | None:
    event = message.event
    if not isinstance(event, e.Control):
        return None
    return Order(event.correlation_id, event.command, event.args, message.received.timestamp)


def _switch(message: Message) -> Switch | None:
    event, received = message.event, message.received
    if not isinstance(event, e.Control) or not (named := switch_of(event.command, event.args)):
        return None
    return Switch(*named, event.command == PAUSE, received.timestamp, received.offset)
