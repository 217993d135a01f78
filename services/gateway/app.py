"""The gateway, put together: read it from top to bottom."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from ipaddress import ip_network
from typing import Any, Final, NoReturn

from contracts.topics import BY_NAME, DUE_INAPP, GATEWAY, GATEWAY_COUNTS, GATEWAY_DIRECTORY, GATEWAY_INAPP, SENT, Group
from kit.archive.marking import mark_of
from kit.bus.consumer import Consumer
from kit.bus.fetching import CALM_MS
from kit.bus.follower import Follower
from kit.bus.gathering import Gathering
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.bus.served import served, served_by_topic
from kit.bus.topics import TopicKeeper
from kit.clock import utc_now
from kit.control.controlled import controlled
from kit.postgres import Database
from kit.service import Parts, run
from kit.settings import KafkaSettings, Settings, need
from kit.stage import After, Stage
from kit.tracing import tracer_of
from kit.web_server import WebServer
from kit.web_socket import SocketProtocol
from services.gateway.calls import Calls
from services.gateway.handlers import directory, inbox, jobs, operations, projector
from services.gateway.handlers.cleaning import Cleaning
from services.gateway.handlers.echoes import echo_of
from services.gateway.handlers.erasing import Erasing
from services.gateway.http.access.auth import Tokens
from services.gateway.http.access.key_ring import KeyRing
from services.gateway.http.access.signing import Published, Shared
from services.gateway.http.api import face
from services.gateway.http.desk import PATIENCE, Desk
from services.gateway.http.edge.crowd import Crowd
from services.gateway.http.edge.impatient import Impatient
from services.gateway.http.notifications import sending
from services.gateway.http.notifications.outcomes import Outcomes
from services.gateway.http.webhooks.routes import notice
from services.gateway.outbox.announcer import Announcer, Committed
from services.gateway.outbox.asking import Asking
from services.gateway.outbox.reconciling import Reconciling
from services.gateway.outbox.renewing import Renewing
from services.gateway.outbox.sweep import Sweep
from services.gateway.outbox.writer import Writer
from services.gateway.settings import Limits, Pace, StreamPace, WebhookPace, sweeps
from services.gateway.stream.admission import Admission
from services.gateway.stream.beat import Beat, Farewell
from services.gateway.stream.hearing import of_events, of_records
from services.gateway.stream.hub import Hub
from services.gateway.webhooks.delivering import Delivering
from services.gateway.webhooks.posting import Poster

NAME: Final = "gateway"

ENOUGH: Final = 1_000
"""Records that are worth a transaction of the projector's."""
FRONT: Final = 8
"""Connections for those who ask. Who gets none within ten seconds is told to come back (503)."""
BEHIND: Final = 5_000
"""Records that are not projected yet, at which the clean-up pauses."""


def main() -> NoReturn:
    """`python -m services.gateway`"""
    run(NAME, build)


async def build(settings: Settings, patience: float = PATIENCE) -> Parts:
    """All parts in the order they start; they stop in the other direction. `patience`: see `Desk`."""
    kafka, pace, parts = settings.kafka, Pace.of(settings), Parts(NAME)
    tracer = parts.add("traces", tracer_of(NAME, os.environ))

    database = parts.add("pool", await Database.open(settings.database_url, NAME, size=12))
    # Who asks has connections of his own: be there a thousand, what happens goes on being taken down.
    front = parts.add("front_pool", await Database.open(settings.database_url, NAME, size=FRONT))
    parts.watch("postgresql", database.alive)
    parts.add("topics", TopicKeeper(kafka))
    # Ready without Kafka: what is accepted meanwhile is safe in the outbox (P6.1).
    publisher = parts.add("publisher", Publisher(kafka, NAME), needed=False)

    hub = parts.add("fan_out", Hub(database, front, StreamPace(), parts.metrics))
    parts.add("hints", Follower(kafka, SENT, lambda records: hub.hint(of_records(records))))
    parts.add("beat", Beat(hub))

    announcer = parts.add("announcer", Announcer(database, publisher, pace, _acts(hub)))
    writer = parts.add("writer", Writer(database, announcer, pace, parts.metrics))
    again = sweeps(os.environ)
    sweep = Sweep(database, announcer, _by_topic(kafka), pace, parts.metrics, says_again=again)
    parts.add("sweep", sweep)
    asking = Asking(database, publisher, _as_a_whole(kafka), lambda: _unread(event_reader), pace)
    parts.add("reconciling", Reconciling(database, pace, parts.metrics, puts_back=again))
    renewing = Renewing(database, publisher, lambda: _unread(directory_reader), pace)

    event_reader = Gathering(kafka, GATEWAY.name, [GATEWAY.topics], on_anew=asking.topics_made_anew)
    inbox_reader = Consumer(kafka, GATEWAY_INAPP.name, [GATEWAY_INAPP.topics])
    directory_reader = Consumer(
        kafka, GATEWAY_DIRECTORY.name, [GATEWAY_DIRECTORY.topics], on_anew=renewing.topics_made_anew
    )
    status_reader = Consumer(kafka, GATEWAY_COUNTS.name, [GATEWAY_COUNTS.topics], fetch_wait_ms=CALM_MS)
    if not settings.notifications.enabled:
        inbox_reader.pause([DUE_INAPP])
    if again:
        parts.add("asking", asking)
    parts.add("renewing", renewing)
    stage = partial(Stage, database=database, publisher=publisher, metrics=parts.metrics, tracer=tracer)
    shown = _both(inbox.counted(parts.metrics), _hints(hub))
    for one in (
        stage("projector", event_reader, handle=projector.project, batch=ENOUGH, glance=echo_of),
        stage("inapp", inbox_reader, handle=inbox.timed(parts.metrics), after=shown),
        stage("directory", directory_reader, handle=directory.remember),
        stage("counts", status_reader, handle=operations.note),
    ):
        parts.add(one.name, one, needed=False)

    calls = parts.add("calls", Calls(database, settings.notifications.limits.per_caller.minute, utc_now))
    tokens, admission = _tokens(settings, front, calls), Admission(front, hub)
    desk = Desk(
        settings=settings,
        front=front,
        writer=writer,
        announcer=announcer,
        publisher=publisher,
        tokens=tokens,
        limits=Limits(),
        admission=admission,
        calls=calls,
        metrics=parts.metrics,
        outcomes=Outcomes(front, hub),
        tracer=tracer,
        patience=patience,
    )
    posting = WebhookPace()
    parts.add("webhooks", Delivering(database, _poster(settings, posting), notice(desk), posting, parts.metrics))
    host, port = settings.gateway.host, settings.gateway.port
    crowd = Crowd(writer, parts.metrics, sending.PATHS, settings.public_url)
    parts.add("http", WebServer(face(desk, parts.health), host, port, "GATEWAY_PORT", **_serving(hub.pace, crowd)))
    parts.add("farewell", Farewell(hub))
    cleaning = Cleaning(
        database, settings.cleanup, settings.archive_dir, parts.metrics, lambda: _is_behind(event_reader)
    )
    erasing = Erasing(database, announcer, settings.archive_dir)
    works = jobs.works(database, sweep, erasing, cleaning, posting, parts.metrics)
    archive = await asyncio.to_thread(_mark_of_archive, settings)
    controlled(parts, kafka, database, publisher, works, about=lambda: {"archive": archive})
    return parts


def _mark_of_archive(settings: Settings) -> str | None:
    """By which gateways see whether they share it; None: nothing is archived, or nobody may write there (the clean-up
    says so)."""
    try:
        return mark_of(settings.archive_dir) if settings.cleanup.archive_before_delete else None
    except OSError:
        return None


def _serving(pace: StreamPace, crowd: Crowd) -> dict[str, Any]:
    """uvicorn's options. Compression of frames would cost 100 KB per connection."""
    sockets = {"ws": SocketProtocol, "ws_max_size": pace.frame_bytes, "ws_per_message_deflate": False}
    return {"http": partial(Impatient, crowd=crowd), **sockets}


def _acts(hub: Hub) -> Committed:
    """What people did here, their other tabs hear at once."""
    return lambda events: hub.hint(of_events(events), first=True)


def _hints(hub: Hub) -> After:
    """What this gateway has shown, its own listeners need not hear of by Kafka."""
    return lambda said: hub.hint(of_events(one.event for one in said))


def _poster(settings: Settings, pace: WebhookPace) -> Poster:
    """To where webhooks may lead."""
    allowed = settings.gateway.webhooks
    return Poster(allowed.allow_http, [ip_network(text) for text in allowed.private_networks], pace.patience)


def _both(first: After, second: After) -> After:
    def after(said: Sequence[Outgoing]) -> None:
        first(said)
        second(said)

    return after


def _tokens(settings: Settings, database: Database, calls: Calls) -> Tokens:
    """Tokens are signed with our own secret, or elsewhere."""
    url = settings.jwt.jwks_url
    signing = Published(url) if url else Shared(need(settings.jwt.secret, "JWT_SECRET"))
    return Tokens(settings.jwt, signing, KeyRing(database), calls)


def _by_topic(kafka: KafkaSettings) -> Callable[[Group, Collection[str]], Awaitable[Mapping[str, datetime | None]]]:
    async def ask(group: Group, topics: Collection[str]) -> Mapping[str, datetime | None]:
        return await served_by_topic(kafka, group.name, [BY_NAME[name] for name in topics])

    return ask


def _as_a_whole(kafka: KafkaSettings) -> Callable[[Group], Awaitable[datetime | None]]:
    async def ask(group: Group) -> datetime | None:
        return await served(kafka, group.name, group.topics)

    return ask


def _is_behind(consumer: Consumer) -> bool:
    """People wait for what it has not read: nothing else shall take the database's time."""
    return sum(consumer.lag().values()) > BEHIND


def _unread(consumer: Consumer) -> frozenset[str] | None:
    return consumer.unread if consumer.ready else None
