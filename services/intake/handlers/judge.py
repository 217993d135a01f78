"""Requests, cancels, moves, ripe and again: a batch is judged in memory and written by one statement of each kind."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from contracts import events as e
from contracts.status import HOLDS
from kit import logs
from kit.bus.record import Outgoing, Received
from kit.metrics import Metrics
from kit.postgres import Connection
from kit.stage import Message
from services.intake.handlers import groups
from services.intake.handlers.counting import count_repeats, count_said
from services.intake.handlers.gathering import Wanted, with_requests
from services.intake.rules.facts import CollapseKey, Facts, Newest, Policy
from services.intake.rules.ledger import Ledger, concerned
from services.intake.rules.row import Row
from services.intake.rules.verdict import INTERNAL
from services.intake.store import counts, rows, usage
from services.intake.store.groups import write_newest

STAGE = "judge"

log = logs.get(__name__)


class Directory(Protocol):
    """How far the directory has been read; `wanted` says that it matters now."""

    until: datetime | None

    def wanted(self) -> None: ...


class Judge:
    """The handler of `notifications.requested*`. `ask_hour` takes the hours that the gateway wants to hear again;
    `reads_again` says whether any of these was there before a restore with which we are still catching up (P9)."""

    def __init__(
        self,
        policy: Policy,
        directory: Directory,
        ask_hour: Callable[[datetime], None],
        metrics: Metrics,
        reads_again: Callable[[Iterable[Received]], bool] = lambda _: False,
    ) -> None:
        self.policy = policy
        self.directory = directory
        self.ask_hour = ask_hour
        self.metrics = metrics
        self.reads_again = reads_again

    async def handle(self, connection: Connection, messages: Sequence[Message]) -> list[Outgoing]:
        """One transaction: locks in one order (groups, keys, rows), facts, verdicts, writing."""
        events = [message.event for message in messages]
        until = self.directory.until  # read before the people are: what was served until then is among them
        moment, suppressing = await rows.beginning(connection)
        said, ends = await groups.end(connection, events)
        locked = await groups.lock_newest(connection, events)
        before = await _rows(connection, events, locked)
        wanted = _wanted(events, before, self.policy)
        people = await wanted.people_known(connection)
        facts = Facts(
            policy=self.policy,
            people=people,
            templates=await wanted.templates_known(connection),
            groups=ends,
            newest=locked | await groups.newest_of_waiting(connection, before, locked),
            directory_until=until,
            wishes=await wanted.wishes_known(connection),
            usage=await wanted.usage_known(connection),
            suppressed=await wanted.suppressed_known(connection, people) if suppressing else {},
            catching_up=self.reads_again(message.received for message in messages),
        )
        ledger = Ledger(before, facts, moment)
        for event in events:
            said += ledger.hear(event)
        await self._write(connection, before, ledger, locked)
        self._look_around(events, said)
        said = _once(events, said)
        count_repeats(self.metrics, events, {id for id, row in before.items() if not row.is_stub})
        count_said(self.metrics, said)
        return [Outgoing.of(event) for event in said]

    async def _write(
        self,
        connection: Connection,
        before: Mapping[UUID, Row],
        ledger: Ledger,
        locked: Mapping[CollapseKey, Newest],
    ) -> None:
        changed = rows.changed(before, ledger.rows.values())
        stubs = [row.id for row in changed if (was := before.get(row.id)) and was.is_stub and not row.is_stub]
        if stubs:
            await rows.forget_stubs(connection, stubs)
        new = [row for row in changed if row.id not in before or row.id in stubs]
        if new:
            await rows.insert(connection, sorted(new, key=lambda row: row.id), ledger.moment)
        old = [row for row in changed if row.id in before and row.id not in stubs]
        if old:
            await rows.update(connection, old, ledger.moment)
        if newer := {key: place for key, place in ledger.newest.items() if locked.get(key) != place}:
            await write_newest(connection, newer)
        await usage.write(connection, ledger.facts.usage.changed(ledger.moment.now))
        await counts.add(connection, STAGE, counts.Tally(before, changed))
        self._count(new)

    def _count(self, new: Iterable[Row]) -> None:
        accepted = Counter((row.channel, row.lane) for row in new if not row.is_stub and row.channel)
        for (channel, lane), n in accepted.items():
            self.metrics.accepted(str(channel), lane, n)

    def _look_around(self, events: Iterable[e.Event], said: Iterable[e.Event]) -> None:
        """What others have to do because of this batch."""
        for event in events:
            if isinstance(event, e.Again) and event.hour is not None:
                self.ask_hour(event.hour)
        for event in said:
            if isinstance(event, e.Failed) and event.reason == INTERNAL:
                log.error("rule_failed", id=str(event.id), detail=event.detail)
        if any(isinstance(event, e.Scheduled) and event.why and event.why not in HOLDS for event in said):
            self.directory.wanted()


async def _rows(
    connection: Connection, events: Iterable[e.Event], newest: Mapping[CollapseKey, Newest]
) -> dict[UUID, Row]:
    ids = {id for event in events for id in concerned(event)} | {place.id for place in newest.values()}
    again = [id for event in events if isinstance(event, e.Ripe | e.Move) for id in concerned(event)]
    gathered = await _of_digests(connection, events)
    found = await rows.lock(connection, ids | gathered)
    again += gathered
    return await with_requests(connection, found, again) if again else found


async def _of_digests(connection: Connection, events: Iterable[e.Event]) -> set[UUID]:
    """What is ripe may be part of a digest: it, and the other members (P3.8)."""
    ripe = [event.id for event in events if isinstance(event, e.Ripe)]
    digests = await rows.digests(connection, ripe) if ripe else []
    return {*digests, *await rows.members(connection, digests)} if digests else set()


def _wanted(events: Iterable[e.Event], found: Mapping[UUID, Row], policy: Policy) -> Wanted:
    digests = {category: how.template for category, how in policy.digests.items() if how.template}
    wanted = Wanted(caps=policy.caps, digests=digests)
    for event in events:
        if isinstance(event, e.Requested):
            wanted.by_request(event.tenant, event.request)
    wanted.by_rows(found.values())
    return wanted


def _once(events: Sequence[e.Event], said: list[e.Event]) -> list[e.Event]:
    """Repeats within a batch are said once."""
    if len({event.subject for event in events}) == len(events):
        return said
    return list({(event.ce_type, event.subject, event.n): event for event in said}.values())
