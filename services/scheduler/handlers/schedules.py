"""What is said to the scheduler of things that recur: this is how it is from now on, or fire it once now."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from pydantic import ValidationError
from pydantic_core import to_json

from contracts import events as e
from contracts.record import sentence
from contracts.schedule import RUN, WHAT, Run
from kit import logs
from kit.bus.record import Outgoing
from kit.postgres import Connection
from kit.stage import Message
from services.scheduler.alarm import Alarm
from services.scheduler.rules import schedules as rules
from services.scheduler.rules.schedules import Row, Version
from services.scheduler.store import schedules as store
from services.scheduler.store.schedules import Key

log = logs.get(__name__)


class Recur:
    """The handler of `directory.settings` and `ops.control`: versions of schedules, and commands to run one now."""

    def __init__(self, alarm: Alarm, tzdata: str) -> None:
        self._alarm = alarm
        self._tzdata = tzdata

    async def __call__(self, connection: Connection, batch: Sequence[Message]) -> Sequence[Outgoing]:
        """In the stage's transaction; publishes nothing."""
        versions = [found for message in batch if (found := _version(message))]
        runs = [run for message in batch if (run := _run(message))]
        if versions:
            await self._follow(connection, versions)
        if runs:
            await store.run_now(connection, runs)
            self._alarm.arming(version.as_of for _, version in runs)
        return ()

    async def _follow(self, connection: Connection, versions: Sequence[Version]) -> None:
        of_key: dict[Key, list[Version]] = defaultdict(list)
        for version in versions:
            of_key[version.tenant, version.id].append(version)
        there = await store.in_force(connection, of_key)
        for key, said in of_key.items():
            for version in sorted(said, key=lambda one: (one.as_of, one.place)):
                found = there.get(key)
                if found is None or rules.is_newer(version, found.version):
                    there[key] = await self._replace(connection, found, version)

    async def _replace(self, connection: Connection, there: Row | None, version: Version) -> Row:
        """The row that is in force now, as it is stored."""
        new, key = rules.armed(version, self._tzdata), (version.tenant, version.id)
        if there is not None:
            before = rules.replaced(there, new)
            if before is not None:
                await store.write(connection, [before])
            else:
                await store.delete(connection, [there.number])
            if not rules.goes_on(new):
                await store.delete_replaced(connection, [key])
        await store.write(connection, [new])
        if new.next_at:
            self._alarm.arming([new.next_at])
        return (await store.in_force(connection, [key]))[key]


def _version(message: Message) -> Version | None:
    received = message.received
    match message.event:
        case e.Setting(what=what, value=value) as event if what == WHAT:
            text = to_json(value).decode() if value is not None else None
            return Version(event.tenant, event.id, received.as_of, received.offset, text)
        case e.Tombstone(path=path, tenant=tenant) if path.startswith(f"{WHAT}/"):
            return Version(tenant, path.removeprefix(f"{WHAT}/"), received.as_of, received.offset, None)
        case _:
            return None


def _run(message: Message) -> tuple[UUID, Version] | None:
    """The command's id, and the schedule as it was when somebody asked."""
    event, received = message.event, message.received
    if not isinstance(event, e.Control) or event.command != RUN:
        return None
    try:
        run = Run.model_validate(event.args)
    except ValidationError as error:
        log.error("run_cannot_be_read", command=str(event.correlation_id), problem=sentence(error))
        return None
    text = run.schedule.model_dump_json(exclude_none=True)
    return event.correlation_id, Version(event.tenant, run.id, received.as_of, received.offset, text)
