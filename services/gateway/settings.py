"""The gateway's own numbers, each with a sentence; what people set is in `kit.settings`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from kit.settings import Settings

KIB = 1024

SWEEPS: Final = "TOCSIN_TEST_SWEEPS"
"""`off` in the environment of a test: a sweep must not hide a broken rule."""


def sweeps(environ: Mapping[str, str]) -> bool:
    """Whether what was not answered is said again, and asked for; everywhere but in some tests."""
    return environ.get(SWEEPS, "") != "off"


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused before it is read to its end."""

    notification_bytes: int = 64 * KIB
    with_attachments_bytes: int = 700 * KIB
    batch_bytes: int = 1024 * KIB
    batch_items: int = 1000
    page: int = 50
    longest_page: int = 200
    webhooks: int = 50
    """That a tenant may have."""
    alerts_per_hour: int = 6
    """Of one name that begin to be told in an hour of the clock: an alert that comes of telling alerts ends there."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How quickly the outbox is written, published and looked at again; seconds unless they say otherwise."""

    group_items: int = 500
    """Requests that share one transaction at most."""
    queue_items: int = 20_000
    """Notifications that may wait for it; more are told to come back (503)."""
    queue_clients: int = 1_000
    """Clients that may wait for it; more are told to come back at once, before any work is done for them."""
    queue_patience: float = 3.0
    """How long a request waits for its turn before it is told to come back: nothing was done about it."""
    patience: float = 5.0
    """How long its transaction may take then; after that nobody can say whether it is accepted."""
    glance: float = 0.1
    """Between two looks whose patience is over."""
    publish_items: int = 500
    """Events that are handed to Kafka at once."""
    backlog_items: int = 10_000
    """Events that wait in memory to be published; the sweep publishes the rest from the table."""
    stale_after: float = 1.0
    """How long an event may wait in memory: with the 5 s of its publishing that is over when the first sweep looks."""
    mark_after: float = 1.0
    """Most rows are answered sooner than this, and need no mark that they were published."""
    sweep_every: float = 1.0
    lease: float = 15.0
    """How long a sweep may take for what it has taken, before another gateway may take it."""
    look_every: float = 5.0
    """How often it is asked how far intake has come; one question to Kafka."""
    slack: float = 120.0
    """How far intake must be past a publishing before its silence means that it never heard (P3.9)."""
    asks_per_second: int = 100
    late_look: float = 600.0
    """The first pause between two looks through the same hour for what is open too long; it doubles."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Sweeps are bounded by the scheduler's interval, as everywhere: 60 s make the two minutes of P3.9."""
        slack = 2 * settings.notifications.scheduler.check_interval_seconds
        return cls(slack=slack, look_every=min(5.0, slack))


@dataclass(frozen=True, slots=True)
class StreamPace:
    """How streams are served; seconds unless they say otherwise."""

    ticket: int = 30
    """How long a ticket is good; it is taken to be used at once."""
    per_person: int = 20
    """Streams that one person may have open at one gateway: so many tabs, and no more."""
    listeners: int = 20_000
    """Streams that one gateway holds."""
    page: int = 100
    """Steps that one who catches up reads at a time."""
    steps: int = 20
    """Steps of one person that are told in one turn; what is more waits for the next one."""
    people: int = 200
    """Persons whose news are read with one statement: who comes next waits for them."""
    at_once: int = 100
    """Their listeners: so many are written to before anybody else has his turn."""
    most_waiting: int = 64 * KIB
    """Bytes written and not taken, after which somebody reads by himself; the mark at which transports say `full`."""
    patience: float = 10.0
    """How long somebody may take nothing of what waits for him before he is closed."""
    heartbeat: int = 25
    """Between two signs of life; a browser cannot see the pings of the protocol."""
    look_round: float = 5.0
    """How often it is looked whether a hint was lost."""
    try_again: float = 0.5
    frame_bytes: int = 1024
    """The longest frame from a client."""
    frames: int = 20
    """Frames that a client may say within `heartbeat` seconds."""


@dataclass(frozen=True, slots=True)
class WebhookPace:
    """How webhooks are delivered; seconds unless they say otherwise."""

    at_once: int = 64
    """Posts under way at one gateway."""
    each: int = 8
    """Of them to one receiver: one that is slow holds up only itself."""
    patience: float = 15.0
    """How long a receiver may take for all of its answer (Standard Webhooks: 15 to 30)."""
    lease: float = 60.0
    """Longer than `patience`, and what it takes to write down what came of it."""
    look_every: float = 0.5
    measure_every: float = 10.0
    """How often it is counted how many wait."""
    farewell: float = 3.0
    """For what is under way when the gateway stops; what is not over then is posted again."""
    kept_days: int = 30
    """How long deliveries are shown: longer than Kafka keeps what happened (7 days), so that what is heard again is
    known."""
    body_days: int = 7
    """For how long what was delivered can be replayed."""
