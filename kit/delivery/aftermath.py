"""What becomes of messages after they were sent: the parts for it, added in one line of a sender's `app.py`."""

from collections.abc import Callable, Iterable

from contracts.events import Receipt
from contracts.status import Channel
from contracts.topics import Group
from kit.bus.consumer import Consumer
from kit.bus.fetching import CALM_MS
from kit.bus.publisher import Publisher
from kit.delivery.asking import Asking
from kit.delivery.called_back import CalledBack
from kit.delivery.provider import Askable, Provider
from kit.delivery.receipts import Receipts
from kit.postgres import Database
from kit.service import Parts
from kit.settings import KafkaSettings
from kit.stage import Stage


def aftermath(
    parts: Parts,
    kafka: KafkaSettings,
    database: Database,
    publisher: Publisher,
    *,
    channel: Channel,
    group: Group,
    meaning: Callable[[Receipt], CalledBack | None],
    providers: Iterable[Provider],
) -> None:
    """Adds who hears what is called back, and for each of `providers` that can be asked, who asks it.

    `group` reads `notifications.receipts`; `meaning` is what a receipt makes of a message of this channel. The service
    is ready without all of it.
    """
    asked = [one for one in providers if isinstance(one, Askable)]
    after = {one.name: one.ask_after[0] for one in asked if one.ask_after}
    receipts = parts.add("receipts", Receipts(database, publisher, meaning, parts.metrics, after))
    consumer = Consumer(kafka, group.name, [group.topics], fetch_wait_ms=CALM_MS)
    stage = Stage(
        "called_back", consumer, database, publisher, receipts.take, metrics=parts.metrics, after=receipts.committed
    )
    parts.add("called_back", stage, needed=False)
    for provider in asked:
        parts.add(f"asking {provider.name}", Asking(channel, provider, database, publisher, meaning))
