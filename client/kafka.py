"""The same calls by Kafka: for programs that publish anyway, and must not wait for a gateway. Needs `aiokafka`."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Final, NamedTuple, Self, Unpack

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from .deadlines import Said
from .errors import Unreachable
from .private import Login, Tls, options
from .shapes import Ask, Body, plain

TOPICS: Final[Mapping[str, str]] = {
    "urgent": "notifications.requested.urgent",
    "normal": "notifications.requested",
    "bulk": "notifications.requested.bulk",
}
DEADLINES: Final = "deadlines.tracked"
NAMESPACE: Final = uuid.UUID("6f0c2b1e-7d5a-5c43-9d3f-3f6a5e1c8b70")


class Published(NamedTuple):
    """Kafka has it. `id` is what REST finds it by; `key` repeats, cancels or moves it."""

    id: str
    key: str


class KafkaTocsin:
    """`async with KafkaTocsin("127.0.0.1:9092", source="billing") as tocsin: await tocsin.notify(channel=...)`.

    What is wrong with a request is not known here: it ends `rejected`, with the field and the remedy on its timeline.
    """

    def __init__(
        self,
        servers: str,
        *,
        source: str,
        tenant: str = "default",
        prefix: str = "",
        tls: Tls | None = None,
        login: Login | None = None,
    ) -> None:
        """`source` names the program: with a key it names the notification. `prefix`: of the installation's topics.

        Raises OSError where `tls` names a file that cannot be read or is no PEM.
        """
        self.source = source
        self.tenant = tenant
        self._servers = servers
        self._prefix = prefix
        self._private = options(tls, login)
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()

    async def notify(self, *, key: str | None = None, **ask: Unpack[Ask]) -> Published:
        """Ask for a notification; once this returns it cannot get lost. The same `key` is one notification.

        Raises Unreachable; whether it arrived is not known then: repeat it with its key.
        """
        key = _named(key)
        await self._publish([(self._topic(ask), self._record("request", key, plain(ask)))])
        return Published(self.id_of(key), key)

    async def batch(self, asks: Sequence[Ask | Body]) -> list[Published]:
        """As many as you like, in this order; an item's key is `idempotency_key`. Raises Unreachable like `notify`."""
        bodies = [plain(ask) for ask in asks]
        keys = [_named(body.pop("idempotency_key", None)) for body in bodies]
        await self._publish(
            [(self._topic(body), self._record("request", key, body)) for key, body in zip(keys, bodies, strict=True)]
        )
        return [Published(self.id_of(key), key) for key in keys]

    async def cancel(self, key: str) -> None:
        """Ask for the end of what was asked for under this key."""
        await self._publish([(TOPICS["urgent"], self._record("cancel", key, {}))])

    async def move(self, key: str, send_at: datetime) -> None:
        """Ask for another time."""
        await self._publish([(TOPICS["normal"], self._record("move", key, {"send_at": send_at.isoformat()}))])

    async def deadline(self, id: str, **said: Unpack[Said]) -> None:
        """Say the whole of a deadline; what is left out is at its default."""
        record = {"tenant": self.tenant, "source": self.source, "id": id, **plain(said)}
        await self._publish([(DEADLINES, record)])

    def id_of(self, key: str) -> str:
        """The id of what this source asks for under this key."""
        name = json.dumps([self.tenant, "source", self.source, key], separators=(",", ":"), ensure_ascii=False)
        return str(uuid.uuid5(NAMESPACE, name))

    async def close(self) -> None:
        """Ends the connection; what was asked for is in Kafka."""
        if producer := self._producer:
            self._producer = None
            await producer.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _topic(self, ask: Ask | Body) -> str:
        """A lane that there is not is intake's to refuse: nothing is checked here."""
        return TOPICS.get(str(ask.get("lane")), TOPICS["normal"])

    def _record(self, kind: str, key: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {"type": kind, "tenant": self.tenant, "source": self.source, "id": key, **fields}

    async def _publish(self, records: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Under the key of the tenant and the object, so that what is said of one stays in order."""
        try:
            producer = await self._connected()
            answers = [
                await producer.send(
                    self._prefix + topic,
                    json.dumps(record, ensure_ascii=False).encode(),
                    key=f"{self.tenant}/{record['id'] if topic == DEADLINES else self.id_of(record['id'])}".encode(),
                )
                for topic, record in records
            ]
            for answer in answers:
                await answer
        except KafkaError as error:
            raise Unreachable(self._servers, error) from None

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._producer is None:
                self._producer = await _started(
                    AIOKafkaProducer(
                        bootstrap_servers=self._servers, acks="all", enable_idempotence=True, **self._private
                    )
                )
            return self._producer


async def _started(producer: AIOKafkaProducer) -> AIOKafkaProducer:
    """Raises KafkaError, and leaves nothing open then."""
    try:
        await producer.start()
    except BaseException:
        await producer.stop()
        raise
    return producer


def _named(key: str | None) -> str:
    return str(uuid.uuid4()) if key is None else key
