"""A gateway to talk to: its routes over real PostgreSQL, with as much of Kafka as the test wants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import jwt
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from contracts import events as e
from contracts.status import Channel
from kit.bus.publisher import Publisher
from kit.bus.record import Received
from kit.clock import utc_now
from kit.health import Health
from kit.metrics import Metrics
from kit.postgres import Database
from kit.settings import GatewaySettings, JwtSettings, KafkaSettings, NotificationSettings, Settings
from kit.stage import Message
from services.gateway.calls import Calls
from services.gateway.handlers import directory, inbox, projector
from services.gateway.http.access.auth import Tokens
from services.gateway.http.access.key_ring import KeyRing
from services.gateway.http.access.signing import Shared
from services.gateway.http.api import face
from services.gateway.http.desk import Desk
from services.gateway.http.notifications.outcomes import Outcomes
from services.gateway.outbox.announcer import Announcer
from services.gateway.outbox.writer import Writer
from services.gateway.settings import Limits, Pace, StreamPace
from services.gateway.stream.admission import Admission
from services.gateway.stream.hub import Hub
from tests.waiting import PATIENCE

SECRET = "a secret of this test session, which is long enough for every one of its uses"

EMAIL = {"channel": "email", "to": "delivered@simulator.test", "subject": "s", "body": "b"}
BELL = {"channel": "inapp", "user_id": "bob", "subject": "s", "body": "b"}

offsets = count()


def token(sub: str | None = "alice", *roles: str, secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """A good token, unless `claims` say otherwise; a claim that is None is left out. It outlives any run of the tests:
    many are made when these are read."""
    now = utc_now()
    common = {
        "sub": sub,
        "iss": "tocsin",
        "aud": "tocsin",
        "iat": now,
        "exp": now + timedelta(days=1),
        "roles": list(roles),
    }
    given = {name: value for name, value in (common | claims).items() if value is not None}
    return jwt.encode(given, secret, algorithm)


def bearer(sub: str | None = "alice", *roles: str, **claims: Any) -> dict[str, str]:
    """The header with such a token."""
    return {"Authorization": f"Bearer {token(sub, *roles, **claims)}"}


ALICE, BOB, CAROL = bearer("alice"), bearer("bob"), bearer("carol")
ADMIN, SERVICE = bearer("root", "admin"), bearer("billing", "service")
ADMIN_ELSEWHERE = bearer("root", "admin", tenant="elsewhere")


def settings_of(
    kafka: KafkaSettings, database: str, folder: Path, *, notifications: dict[str, Any] | None = None, **gateway: Any
) -> Settings:
    """The settings of a gateway for one test."""
    return Settings(
        notifications=NotificationSettings.model_validate(notifications or {}),
        kafka=kafka,
        database_url=database,
        jwt=JwtSettings(secret=SECRET),
        gateway=GatewaySettings.model_validate(gateway),
        state_dir=folder,
        logs_dir=folder,
    )


def due_of(id: str | UUID, user_id: str | None = "bob", **more: Any) -> e.Due:
    """Intake's word that this in-app notification is due."""
    now = utc_now()
    said = {
        "id": id,
        "owner": "user:alice",
        "user_id": user_id,
        "channel": Channel.INAPP,
        "accepted_at": now,
        "round": 1,
        "at": now,
        "expires_at": now + timedelta(hours=1),
        "content": None if more.get("end") else e.Content(subject="title", text="text", data={"n": 1}),
    }
    return e.Due.model_validate(said | more)


def message(event: e.Event, *, offset: int | None = None, at: datetime | None = None) -> Message:
    """The event as a stage hands it to its handler."""
    place = next(offsets) if offset is None else offset
    return Message(event, Received("notifications.sent", 0, place, at or datetime.now(UTC), b"", b""))


@dataclass
class House:
    """The routes of one gateway, and what it hears where no Kafka takes part."""

    settings: Settings
    database: Database
    writer: Writer
    calls: Calls
    http: httpx.AsyncClient
    face: ASGIApp
    desk: Desk

    async def hears(self, *events: e.Event) -> None:
        """The projector is told."""
        async with self.database.transaction() as connection:
            await projector.project(connection, [message(event) for event in events])

    async def shows(self, *events: e.Event) -> list[e.Event]:
        """The in-app stage is told; what it says."""
        async with self.database.transaction() as connection:
            return [out.event for out in await inbox.show(connection, [message(event) for event in events])]

    async def remembers(self, *messages: Message) -> None:
        """The directory's stage is told."""
        async with self.database.transaction() as connection:
            await directory.remember(connection, messages)

    async def post(self, body: dict[str, Any] = EMAIL, who: dict[str, str] = ALICE, key: str | None = None) -> str:
        """A notification that was accepted; its id."""
        headers = who | ({"Idempotency-Key": key} if key else {})
        answer = await self.http.post("/v1/notifications", json=body, headers=headers)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def get(self, id: str, who: dict[str, str] = ALICE) -> dict[str, Any]:
        """What the caller sees of it."""
        answer = await self.http.get(f"/v1/notifications/{id}", headers=who)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def timeline(self, id: str, who: dict[str, str] = ALICE) -> list[str]:
        """The events of its timeline."""
        return [line["event"] for line in (await self.get(id, who))["timeline"]]


@asynccontextmanager
async def opened(
    settings: Settings, publisher: Publisher | None = None, clock: Callable[[], datetime] = utc_now
) -> AsyncIterator[House]:
    """A gateway's routes, for as long as the test needs them."""
    async with AsyncExitStack() as stack:
        database = await Database.open(settings.database_url, "gateway", size=8)
        stack.push_async_callback(database.close)
        publisher = publisher or Publisher(settings.kafka, "gateway", deadline=PATIENCE)
        # What takes long is told to come back, and a busy machine is not what most tests ask about.
        pace = replace(Pace.of(settings), queue_patience=PATIENCE, patience=PATIENCE)
        announcer = Announcer(database, publisher, pace)
        writer = Writer(database, announcer, pace, Metrics())
        await writer.start()
        stack.push_async_callback(writer.stop)
        calls = Calls(database, settings.notifications.limits.per_caller.minute, clock)
        tokens = Tokens(settings.jwt, Shared(SECRET), KeyRing(database), calls)
        hub, metrics = Hub(database, database, StreamPace(), Metrics()), Metrics("gateway")
        admission, outcomes = Admission(database, hub), Outcomes(database, hub)
        desk = Desk(
            settings=settings,
            front=database,
            writer=writer,
            announcer=announcer,
            publisher=publisher,
            tokens=tokens,
            limits=Limits(),
            admission=admission,
            calls=calls,
            metrics=metrics,
            outcomes=outcomes,
        )
        made = cache(lambda: face(desk, Health("gateway", metrics.registry)))

        async def whole(scope: Scope, receive: Receive, send: Send) -> None:
            """Made at the first request: a hundred routes take longer than most tests, and many ask none."""
            await made()(scope, receive, send)

        asgi = httpx.ASGITransport(whole)
        client = await stack.enter_async_context(httpx.AsyncClient(transport=asgi, base_url="http://gateway"))
        yield House(settings, database, writer, calls, client, whole, desk)


@pytest.fixture
def nowhere() -> KafkaSettings:
    """A Kafka that is away."""
    return KafkaSettings(bootstrap_servers="127.0.0.1:1")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A folder for an archive; it is not there yet."""
    return tmp_path / "archive"


@pytest.fixture
async def house(database: str, nowhere: KafkaSettings, tmp_path: Path) -> AsyncIterator[House]:
    """A gateway without Kafka: what it accepts stays in the outbox, what it hears the test tells it."""
    away = Publisher(nowhere, "gateway", deadline=0.3)
    async with opened(settings_of(nowhere, database, tmp_path), away) as house:
        yield house
