"""Why Kafka lets nobody in is said by its client in its log alone: kept from the screen, and said in our sentences."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from aiokafka.errors import KafkaConnectionError, KafkaError

from deploy.local.trouble import Trouble
from kit.clock import monotonic
from kit.settings import Settings

T = TypeVar("T")

UNABLE: Final = re.compile(r'^Unable connect to "[^"]*": (?:\[[^]]*\] )?(.+)')
"""As aiokafka writes it, an error's number left out: a refused password, a certificate, a name that is none."""


class KafkaSaid(logging.Handler):
    """Remembers why the last connection came to nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._last: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if found := UNABLE.match(record.getMessage()):
            self._last = found[1].strip()

    async def patiently(
        self, settings: Settings, question: Callable[[], Awaitable[T]], patience: float, pause: float
    ) -> T:
        """Asked again for so many seconds: a Kafka that has just begun, or is busy, hesitates. Raises Trouble."""
        over = monotonic() + patience
        while True:
            try:
                return await question()
            except (KafkaError, OSError, TimeoutError) as error:
                if monotonic() > over:
                    raise self.trouble(settings, error) from None
            await asyncio.sleep(pause)

    def trouble(self, settings: Settings, error: BaseException) -> Trouble:
        """In the words of whoever turned us away, else by the name of the error; and what to do about it."""
        kafka = settings.kafka
        told = self._last if isinstance(error, KafkaConnectionError) else None
        what = f"Kafka does not answer at {kafka.bootstrap_servers} ({told or type(error).__name__})"
        if "kafka" in settings.embedded:
            return Trouble(what, "`tocsin up` starts it; its log is logs/kafka.log")
        named = (
            "start it, or set KAFKA_BOOTSTRAP_SERVERS to where it is (what it advertises must be reachable from here)"
        )
        ours = "; KAFKA_SASL_* say who we are, KAFKA_SSL_CA_LOCATION whom we trust"
        return Trouble(what, named if kafka.security_protocol == "PLAINTEXT" else named + ours)


@contextmanager
def kafka_said() -> Iterator[KafkaSaid]:
    """Nothing of Kafka's client reaches the screen meanwhile."""
    client, said = logging.getLogger("aiokafka"), KafkaSaid()
    level, handlers, propagate = client.level, client.handlers[:], client.propagate
    client.handlers, client.propagate = [said], False
    client.setLevel(logging.ERROR)
    try:
        yield said
    finally:
        client.handlers, client.propagate = handlers, propagate
        client.setLevel(level)
