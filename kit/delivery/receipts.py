"""What a provider calls back comes early, late, twice and in any order; it is written down, and said in its turn."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import asyncpg

from contracts.events import Event, Receipt, Taken
from contracts.status import Status
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.delivery import events
from kit.delivery.proving import prove
from kit.delivery.rules import Callbacks, CalledBack, Conclusion, Result
from kit.delivery.store import IS_TAKEN
from kit.metrics import Metrics
from kit.postgres import Connection, Database
from kit.service import Repeating
from kit.stage import Message

EVERY: Final = 1.0
MOST: Final = 500
PAGES: Final = 10
"""Full pages that are said between two looks for proofs: a flood keeps nobody's proof waiting until its next try."""
AGE: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A claim that holds what its receipt said, and the event of it that is to be said."""

    id: UUID
    try_: int
    result: Result
    suppress: str | None
    event: Event


class Receipts(Repeating):
    """The handler of a stage on `notifications.receipts`, and the loop that says what follows.

    `meaning` is the provider's rule: what a receipt makes of a message that was handed over, or nothing at all. A
    receipt of a message whose claim has no `sent` yet waits for it, or proves it. A status moves forward only:
    undelivered may still become delivered, and nothing follows delivered but what blames the address, which is said by
    the same event once more.
    """

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        meaning: Callable[[Receipt], CalledBack | None],
        metrics: Metrics,
    ) -> None:
        super().__init__("receipts", self._is_more, EVERY)
        self._database = database
        self._publisher = publisher
        self._meaning = meaning
        self._metrics = metrics
        self._pages = 0
        """Looks in a row that found all they could take. What is proven is seldom, and looked for among all: with
        one page of several, and not with each."""

    async def take(self, connection: Connection, messages: Sequence[Message]) -> Sequence[Outgoing]:
        """A batch, in one statement; whatever its order and its repeats."""
        heard: dict[tuple[UUID, int], Callbacks] = {}
        for receipt in (message.event for message in messages if isinstance(message.event, Receipt)):
            if meant := self._meaning(receipt):
                one = Callbacks(meant.result, receipt.received_at, receipt.code, meant.suppress)
                place = receipt.id, receipt.try_
                heard[place] = heard[place].and_then(one) if place in heard else one
        if heard:
            rows = [(*place, one.result.value, *one[1:]) for place, one in sorted(heard.items())]
            await connection.execute(_KEEP, *(list(column) for column in zip(*rows, strict=True)))
        return ()

    def committed(self, _: Sequence[Outgoing]) -> None:
        """There may be something to say."""
        self.wake()

    async def once(self) -> int:
        """One look: what can be said is written into the claims and said; how much of it Kafka has."""
        async with self._database.connection() as connection:
            if not await connection.fetchval(_ANY):
                return 0
            if self._pages % PAGES == 0:
                await prove(connection, MOST)
            await connection.execute(_APPLY, MOST)
            arrivals = [_arrival(row) for row in await connection.fetch(_APPLIED, MOST)]
        if said := await self._publisher.heard([(one, Outgoing.of(one.event)) for one in arrivals]):
            self._count(said)
            rows = [(one.id, one.try_, one.result.value, one.suppress) for one in said]
            async with self._database.connection() as connection:
                await connection.execute(_SAID, *(list(column) for column in zip(*rows, strict=True)))
        self._pages = self._pages + 1 if len(said) == MOST else 0
        return len(said)

    def _count(self, said: Sequence[Arrival]) -> None:
        events = [one.event for one in said if isinstance(one.event, Taken)]
        arrived = Counter((x.status, x.channel or "", x.provider or "") for x in events)
        for (status, channel, provider), n in arrived.items():
            count = self._metrics.delivered if status is Status.DELIVERED else self._metrics.undelivered
            count(channel, provider, n)

    async def _is_more(self) -> bool:
        return await self.once() == MOST


async def forget_receipts(database: Database, *, age: timedelta = AGE) -> int:
    """Deletes those whose message was never recorded as sent, such as of a claim that is gone; how many."""
    async with database.connection() as connection:
        return int(await connection.fetchval(_FORGET, age))


def _arrival(row: asyncpg.Record) -> Arrival:
    conclusion = Conclusion(
        Result(row["result"]),
        at=row["at"],
        detail=row["detail"],
        provider_id=row["provider_id"],
        segments=row["segments"],
        encoding=row["encoding"],
        suppress=row["why"],
    )
    event = events.outcome(
        conclusion,
        json.loads(row["about"]),
        try_=row["try"],
        attempt=row["attempt"],
        unknown=row["copies"],
        provider=row["provider"],
    )
    return Arrival(row["id"], row["try"], Result(row["received"]), row["why"], event)


_ANY: Final = "select exists (select from receipts)"

# As `Callbacks.and_then` has it. The first of a kind stays: what was said with its time is said with the same again.
# That the provider has it is no news where the claim says so.
_FURTHER: Final = """
(array_position(array['sent', 'undelivered', 'delivered'], excluded.result),  excluded.suppress is not null)
  > (array_position(array['sent', 'undelivered', 'delivered'], r.result), r.suppress is not null)
"""

_KEEP: Final = f"""
insert into receipts as r (id, try, result, received_at, detail, suppress)
select * from unnest($1::uuid[], $2::smallint[], $3::text[], $4::timestamptz[], $5::text[], $6::text[])
    as told (id, try, result, received_at, detail, suppress)
where result <> 'sent'
   or not exists (select from claims as c where c.id = told.id and c.try = told.try and c.result in ({IS_TAKEN}))
on conflict (id, try) do update
set result = case when {_FURTHER} then excluded.result else r.result end,
    received_at = case when {_FURTHER} then excluded.received_at else r.received_at end,
    detail = case when {_FURTHER} then excluded.detail else r.detail end,
    suppress = greatest(r.suppress, excluded.suppress)
where {_FURTHER} or excluded.suppress > coalesce(r.suppress, '')
"""

# A late acceptance is said as `sent` first (P5.6). In the order of all who lock claims.
_APPLY: Final = """
with ready as (
    select c.id, c.try, r.result, r.received_at, r.detail
    from receipts as r
    join claims as c on c.id = r.id and c.try = r.try
    where r.result <> 'sent'
      and ((c.result = 'sent' and not c.unannounced) or (c.result = 'undelivered' and r.result = 'delivered'))
    order by c.id, c.try
    limit $1
    for update of c
)
update claims as c
set result = ready.result, at = ready.received_at, detail = ready.detail, result_at = clock_timestamp()
from ready
where c.id = ready.id and c.try = ready.try
"""

_APPLIED: Final = """
select c.*, r.result as received, r.suppress as why,
       (select max(unknown) from claims as other where other.id = c.id and other.hand_overs = 1) as copies,
       (select sum(hand_overs) from claims as other where other.id = c.id and other.try <= c.try) as attempt
from receipts as r
join claims as c on c.id = r.id and c.try = r.try
where r.result <> 'sent' and (c.result = 'delivered' or (c.result = 'undelivered' and r.result = 'undelivered'))
limit $1
"""

# One that has grown meanwhile stays, to be said itself.
_SAID: Final = """
delete from receipts as r
using unnest($1::uuid[], $2::smallint[], $3::text[], $4::text[]) as said (id, try, result, suppress)
where r.id = said.id and r.try = said.try and r.result = said.result and r.suppress is not distinct from said.suppress
"""

_FORGET: Final = """
with forgotten as (delete from receipts where received_at < clock_timestamp() - $1::interval returning 1)
select count(*) from forgotten
"""
