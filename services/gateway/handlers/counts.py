"""What intake counts, beside what we count: where the two differ for long, something was never heard (P9)."""

from collections.abc import Sequence
from typing import Final

from pydantic import AwareDatetime, BaseModel

from contracts import events as e
from kit.bus.record import Outgoing
from kit.postgres import Connection
from kit.stage import Message
from services.gateway.store import asking, reconciling
from services.gateway.store.asking import Judged
from services.gateway.store.reconciling import Lost

JUDGE: Final = "intake"
COUNTS: Final = "counts"


class Hour(BaseModel):
    """Of the notifications accepted in an hour: how many the judge has, and how many of them have ended."""

    hour: AwareDatetime
    accepted: int
    final: int


class Counts(BaseModel):
    """What `ops.status` carries as the result of the judge's counting; `missing`: open ones of which it has no row."""

    hours: tuple[Hour, ...]
    missing: int = 0


async def note(connection: Connection, messages: Sequence[Message]) -> Sequence[Outgoing]:
    """Keep the newest counts; everything else on `ops.status` is for others."""
    said = [message.event for message in messages if isinstance(message.event, e.ServiceStatus)]
    told = [event for event in said if (event.service, event.state) == (JUDGE, COUNTS)]
    if told:
        newest = max(told, key=lambda event: event.at)
        counts = Counts.model_validate(newest.result)
        hours = [Judged(x.hour, x.accepted, x.final) for x in counts.hours]
        await asking.note_judged(connection, hours, newest.at)
        await reconciling.note(connection, "judge", Lost(counts.missing, 0))
    return ()
