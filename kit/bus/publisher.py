"""What was decided is said, and each saying is acknowledged by Kafka or known not to be."""

import asyncio
from collections.abc import Sequence
from typing import Final, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from contracts.topics import ALL
from kit import logs
from kit.bus.admin import DEADLINE
from kit.bus.closing import close_producer
from kit.bus.reaching import reaching
from kit.bus.record import Outgoing
from kit.bus.sending import Sending, send
from kit.clock import monotonic
from kit.settings import KafkaSettings

LINGER_MS: Final = 2
BATCH_BYTES: Final = 256 * 1024
# The client refuses only what no topic would take, so that it is Kafka that judges.
REQUEST_BYTES: Final = max(topic.max_message_bytes for topic in ALL) * 2
RECOVERY: Final = 5.0
"""Seconds without success or failure after which a failure is forgotten."""
PATIENCE: Final = 30.0
"""Seconds in which nothing at all gets through after which the connection is made anew."""

Failure = tuple[Outgoing, Exception]

log = logs.get(__name__)


T = TypeVar("T")


class PublishFailed(Exception):
    """Some of what was to be published is not acknowledged. Each such event may have been written all the same."""

    def __init__(self, failed: Sequence[Failure]) -> None:
        super().__init__(f"{len(failed)} events not acknowledged, the first because of {failed[0][1]!r}")
        self.failed = list(failed)

    @property
    def refused(self) -> list[Failure]:
        """Those that will be refused every time, because of what they are."""
        return [failure for failure in self.failed if is_refusal(failure[1])]

    @property
    def unheard(self) -> list[Failure]:
        """Those that Kafka may not have, and would take another time."""
        return [failure for failure in self.failed if not is_refusal(failure[1])]


def is_refusal(error: Exception) -> bool:
    """True when the record itself is to blame: too large for its topic, or impossible to write down."""
    return isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError | ValueError)


class Publisher:
    """One producer: acks=all, not idempotent (it would wait for ever for a broker that is away, and copies are
    harmless where every event has a deterministic id).

    Each wait ends after `deadline` seconds. A Kafka that is away costs PublishFailed, and nothing else.
    """

    def __init__(
        self, kafka: KafkaSettings, source: str, *, linger_ms: int = LINGER_MS, deadline: float = DEADLINE
    ) -> None:
        """`source` is the service that speaks; `ce_source` says so."""
        self.source = source
        self._settings = kafka
        self._linger_ms = linger_ms
        self._deadline = deadline
        self._kafka: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()
        self._failing_since: float | None = None
        self._failed_at = 0.0

    async def start(self) -> None:
        """Connects, or leaves that to the first publishing where Kafka is away."""
        try:
            async with asyncio.timeout(self._deadline):
                await self._connected()
        except (KafkaError, TimeoutError, OSError) as error:
            log.warning("kafka_is_away", error=repr(error))

    async def stop(self) -> None:
        """Sends what is under way; bounded."""
        if kafka := self._take():
            await close_producer(kafka, self._deadline)

    @property
    def ready(self) -> bool:
        """Connected, and nothing failed a moment ago."""
        failing = self._failing_since is not None and monotonic() - self._failed_at < RECOVERY
        return self._kafka is not None and not failing

    async def publish(self, out: Sequence[Outgoing], *, straggling: float | None = None) -> None:
        """Returns when Kafka has all of `out`. Raises PublishFailed with those it may not have.

        The order within a key is kept. One partition that does not answer, or one record that is refused, keeps no
        other from being written; `straggling` limits how many seconds the others wait for it, once Kafka answers.
        """
        sendings = [Sending.of(one, self._settings.topic_prefix, self.source) for one in out]
        try:
            async with asyncio.timeout(self._deadline):
                await send(await self._connected(), sendings, straggling)
        except (KafkaError, TimeoutError, OSError) as error:
            for one in sendings:
                one.unless_answered(error)
        outcomes = [(one.outgoing, one.outcome()) for one in sendings]
        failed = [(one, reason) for one, reason in outcomes if reason]
        logs.tell(one.event for one, reason in outcomes if not reason)
        await self._judge(len(sendings), failed)
        if failed:
            raise PublishFailed(failed)

    async def heard(self, words: Sequence[tuple[T, Outgoing]]) -> list[T]:
        """Publishes the words; whose Kafka has acknowledged. The others are to be said again."""
        try:
            await self.publish([word for _, word in words])
        except PublishFailed as failure:
            failed = {id(word) for word, _ in failure.failed}
            return [whose for whose, word in words if id(word) not in failed]
        return [whose for whose, _ in words]

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._kafka is None:
                kafka = AIOKafkaProducer(
                    **reaching(self._settings),
                    client_id=f"tocsin.{self.source}",
                    acks="all",
                    enable_idempotence=False,
                    linger_ms=self._linger_ms,
                    max_batch_size=BATCH_BYTES,
                    max_request_size=REQUEST_BYTES,
                    request_timeout_ms=int(self._deadline * 1000),
                    metadata_max_age_ms=5000,
                )
                try:
                    await kafka.start()
                except BaseException:
                    await close_producer(kafka, self._deadline)
                    raise
                self._kafka = kafka
            return self._kafka

    async def _judge(self, sent: int, failed: Sequence[Failure]) -> None:
        """A connection through which nothing at all gets is made anew: it may be beyond mending itself."""
        now = monotonic()
        lost = [failure for failure in failed if not is_refusal(failure[1])]
        if not lost or len(lost) < sent:
            self._failing_since = None
            return
        self._failed_at = now
        self._failing_since = self._failing_since or now
        if now - self._failing_since > PATIENCE and (kafka := self._take()):
            log.warning("connection_made_anew")
            await close_producer(kafka, 1.0)

    def _take(self) -> AIOKafkaProducer | None:
        kafka, self._kafka = self._kafka, None
        return kafka
