"""A service that hands messages over and hears what became of them: the parts for it, added by one call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contracts.events import Receipt
from contracts.topics import Group
from kit.bus.consumer import Consumer
from kit.bus.fetching import CALM_MS
from kit.bus.publisher import Publisher
from kit.clock import monotonic
from kit.control.switches import Switches
from kit.delivery.asking import Asking
from kit.delivery.called_back import CalledBack
from kit.delivery.provider import Askable
from kit.delivery.receipts import Receipts
from kit.delivery.sender import Sender, Setup
from kit.delivery.suppressed import Suppressed
from kit.engine import Engine
from kit.postgres import Database
from kit.service import Parts
from kit.settings import KafkaSettings
from kit.stage import Stage
from kit.tracing import Tracer


@dataclass(frozen=True, slots=True)
class Groups:
    """As whom a sender reads what is due, the directory, and receipts."""

    due: Group
    directory: Group
    receipts: Group


def delivering(
    parts: Parts,
    kafka: KafkaSettings,
    database: Database,
    publisher: Publisher,
    tracer: Tracer,
    *,
    setup: Setup,
    groups: Groups,
    in_flight: Sequence[int],
    meaning: Callable[[Receipt], CalledBack | None],
) -> Sender:
    """Adds who sends, who knows to whom nothing is sent, who hears what is called back, and for each provider that can
    be asked, who asks it. The service is ready without all but the first.

    `in_flight` records of each lane are under way at most; `meaning` is what a receipt makes of a message of this
    channel.
    """
    sender = parts.add("sender", Sender(setup, database, publisher, parts.metrics, tracer))
    parts.add("switches", Switches(database, sender.obey))
    lanes = [[lane] for lane in setup.lanes]
    due = Consumer(kafka, groups.due.name, lanes)
    engine = Engine(due, lanes, sender, name=setup.channel, limits=in_flight, metrics=parts.metrics, clock=monotonic)
    parts.add("engine", engine)

    directory = Consumer(kafka, groups.directory.name, [groups.directory.topics], fetch_wait_ms=CALM_MS)
    heed = Suppressed(setup.channel).hear
    parts.add(
        "directory", Stage("directory", directory, database, publisher, heed, metrics=parts.metrics), needed=False
    )

    asked = [one for one in (*setup.providers, setup.simulator) if isinstance(one, Askable)]
    after = {one.name: one.ask_after[0] for one in asked if one.ask_after}
    receipts = parts.add("receipts", Receipts(database, publisher, meaning, parts.metrics, after))
    consumer = Consumer(kafka, groups.receipts.name, [groups.receipts.topics], fetch_wait_ms=CALM_MS)
    called_back = Stage(
        "called_back", consumer, database, publisher, receipts.take, metrics=parts.metrics, after=receipts.committed
    )
    parts.add("called_back", called_back, needed=False)
    for provider in asked:
        parts.add(f"asking {provider.name}", Asking(setup.channel, provider, database, publisher, meaning))
    return sender
