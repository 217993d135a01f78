"""The one list of topics: what each carries, who writes it, who reads it, and how long it keeps."""

from collections.abc import Iterable
from dataclasses import dataclass

from contracts import events as e
from contracts.status import Channel, Lane

SENDERS = ("email_sender", "sms_sender")
SERVICES = ("intake", "scheduler", *SENDERS, "gateway")
ANYONE = "any producer"

DAY_MS = 86_400_000
MESSAGE_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: `events` by model, `writers` and `readers` by service, `reporter` the reader who tells of poison; the
    others count it and pass on. As which group somebody reads stands in `GROUPS`.
    """

    name: str
    events: tuple[type[e.Event], ...]
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    reporter: str
    key: str = "tenant/notification_id"
    lane: Lane | None = None
    outside: bool = False
    compacted: bool = False
    busy: bool = True
    retention_ms: int = 7 * DAY_MS
    max_message_bytes: int = MESSAGE_BYTES

    def carries(self, ce_type: str) -> type[e.Event] | None:
        """The model of this CloudEvents type on this topic, or None."""
        for event in self.events:
            if event.ce_type == ce_type:
                return event
        return None


def _requested(name: str, lane: Lane) -> Topic:
    return Topic(
        name,
        (e.Requested, e.Cancel, e.Move, e.Again, e.Ripe),
        writers=(ANYONE, "gateway", "scheduler"),
        readers=("intake", "gateway"),
        reporter="intake",
        lane=lane,
        outside=True,
    )


def _due(channel: Channel, lane: Lane) -> Topic:
    sender = f"{channel}_sender"
    return Topic(
        f"notifications.due.{channel}.{lane}",
        (e.Due,),
        writers=("intake", "scheduler"),
        readers=(sender,),
        reporter=sender,
        lane=lane,
    )


REQUESTED = {
    Lane.URGENT: _requested("notifications.requested.urgent", Lane.URGENT),
    Lane.NORMAL: _requested("notifications.requested", Lane.NORMAL),
    Lane.BULK: _requested("notifications.requested.bulk", Lane.BULK),
}
DUE = {(channel, lane): _due(channel, lane) for channel in (Channel.EMAIL, Channel.SMS) for lane in Lane}

SCHEDULED = Topic(
    "notifications.scheduled",
    (e.Scheduled, e.MoveRefused, e.TakeBack),
    writers=("intake",),
    readers=("scheduler", "gateway"),
    reporter="scheduler",
)
DUE_INAPP = Topic(
    "notifications.due.inapp",
    (e.Due,),
    writers=("intake", "scheduler"),
    readers=("gateway",),
    reporter="gateway",
    key="tenant/user_id",
)
RETRY = Topic(
    "notifications.retry",
    (e.Retry,),
    writers=(*SENDERS, "gateway"),
    readers=("scheduler", "gateway", "intake"),
    reporter="scheduler",
)
SENT = Topic(
    "notifications.sent",
    (e.Sent, e.Delivered, e.Undelivered, e.InboxChanged),
    writers=(*SENDERS, "gateway"),
    readers=("gateway", "intake"),
    reporter="gateway",
)
FAILED = Topic(
    "notifications.failed",
    (e.Failed, e.GroupCancelled, e.Refused, e.Poison),
    writers=SERVICES,
    readers=("gateway", "intake"),
    reporter="gateway",
    max_message_bytes=2 * MESSAGE_BYTES,
)
RECEIPTS = Topic(
    "notifications.receipts",
    (e.Receipt,),
    writers=("gateway", *SENDERS),
    readers=SENDERS,
    reporter="sms_sender",
)
RECIPIENTS = Topic(
    "directory.recipients",
    (e.Recipient,),
    writers=(ANYONE, "gateway"),
    readers=("intake", "scheduler", "gateway"),
    reporter="gateway",
    key="tenant/user_id",
    outside=True,
    compacted=True,
)
PREFERENCES = Topic(
    "directory.preferences",
    (e.Preference,),
    writers=("gateway",),
    readers=("intake", "gateway"),
    reporter="gateway",
    key="tenant/user_id/subject",
    compacted=True,
)
SETTINGS = Topic(
    "directory.settings",
    (e.Setting,),
    writers=("gateway", "intake"),
    readers=SERVICES,
    reporter="gateway",
    key="tenant/kind/id",
    compacted=True,
    busy=False,
)
DEADLINES = Topic(
    "deadlines.tracked",
    (e.Deadline,),
    writers=(ANYONE, "gateway"),
    readers=("scheduler", "gateway"),
    reporter="scheduler",
    key="tenant/deadline_id",
    outside=True,
    compacted=True,
)
CONTROL = Topic(
    "ops.control",
    (e.Control,),
    writers=("gateway", "scheduler"),
    readers=SERVICES,
    reporter="gateway",
    key="tenant/correlation_id",
    busy=False,
)
STATUS = Topic(
    "ops.status",
    (e.ServiceStatus,),
    writers=SERVICES,
    readers=("scheduler", "gateway"),
    reporter="gateway",
    key="tenant/correlation_id",
    busy=False,
    retention_ms=DAY_MS,
)

ALL: tuple[Topic, ...] = (
    *REQUESTED.values(),
    SCHEDULED,
    *DUE.values(),
    DUE_INAPP,
    RETRY,
    SENT,
    FAILED,
    RECEIPTS,
    RECIPIENTS,
    PREFERENCES,
    SETTINGS,
    DEADLINES,
    CONTROL,
    STATUS,
)
BY_NAME = {topic.name: topic for topic in ALL}
_HOME = {event: topic for topic in ALL for event in topic.events}


def due_lanes(channel: Channel) -> tuple[Topic, ...]:
    """The topics on which a channel's work arrives, the most urgent first."""
    return (DUE_INAPP,) if channel is Channel.INAPP else tuple(DUE[channel, lane] for lane in Lane)


def due_topic(channel: Channel, lane: Lane) -> Topic:
    """Where a `due` of this channel and lane goes."""
    return DUE_INAPP if channel is Channel.INAPP else DUE[channel, lane]


def of_event(event: e.Event) -> Topic:
    """The topic an event of ours belongs to."""
    match event:
        case e.Due(channel=channel, lane=lane, end=end) if channel is not None:
            return due_topic(channel, Lane.URGENT if end else lane)
        case e.Cancel():
            return REQUESTED[Lane.URGENT]
        case e.Requested(lane=lane) | e.Ripe(lane=lane):
            return REQUESTED[lane]
        case e.Move() | e.Again():
            return REQUESTED[Lane.NORMAL]
        case _:
            return _HOME[type(event)]


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group, and what it reads; the sweeps ask how far these have come (P3.9)."""

    name: str
    topics: tuple[Topic, ...]


def _group(name: str, topics: Iterable[Topic]) -> Group:
    return Group(name, tuple(topics))


INTAKE = _group("intake", REQUESTED.values())
INTAKE_OUTCOMES = _group("intake.outcomes", (SENT, FAILED, RETRY))
INTAKE_DIRECTORY = _group("intake.directory", (RECIPIENTS, PREFERENCES, SETTINGS))
SCHEDULER = _group("scheduler", (SCHEDULED, RETRY))
SCHEDULER_SCHEDULES = _group("scheduler.schedules", (SETTINGS, CONTROL))
SCHEDULER_DEADLINES = _group("scheduler.deadlines", (RECIPIENTS, SETTINGS, DEADLINES))
EMAIL_SENDER = _group("email_sender", due_lanes(Channel.EMAIL))
EMAIL_SENDER_RECEIPTS = _group("email_sender.receipts", (RECEIPTS,))
EMAIL_SENDER_DIRECTORY = _group("email_sender.directory", (SETTINGS,))
SMS_SENDER = _group("sms_sender", due_lanes(Channel.SMS))
SMS_SENDER_RECEIPTS = _group("sms_sender.receipts", (RECEIPTS,))
SMS_SENDER_DIRECTORY = _group("sms_sender.directory", (SETTINGS,))
GATEWAY = _group("gateway", (*REQUESTED.values(), SCHEDULED, RETRY, SENT, FAILED))
GATEWAY_INAPP = _group("gateway.inapp", (DUE_INAPP,))
GATEWAY_DIRECTORY = _group("gateway.directory", (RECIPIENTS, PREFERENCES, SETTINGS, DEADLINES))
GATEWAY_COUNTS = _group("gateway.counts", (STATUS,))
SCHEDULER_ANSWERS = _group("scheduler.answers", (STATUS,))
CONTROL_OF = {service: _group(f"{service}.control", (CONTROL,)) for service in SERVICES}
"""A group per service: one of its instances writes a command down, for all of them (P9)."""

GROUPS = (
    INTAKE,
    INTAKE_OUTCOMES,
    INTAKE_DIRECTORY,
    SCHEDULER,
    SCHEDULER_SCHEDULES,
    SCHEDULER_DEADLINES,
    EMAIL_SENDER,
    EMAIL_SENDER_RECEIPTS,
    EMAIL_SENDER_DIRECTORY,
    SMS_SENDER,
    SMS_SENDER_RECEIPTS,
    SMS_SENDER_DIRECTORY,
    GATEWAY,
    GATEWAY_INAPP,
    GATEWAY_DIRECTORY,
    GATEWAY_COUNTS,
    SCHEDULER_ANSWERS,
    *CONTROL_OF.values(),
)

SENDER_OF = {Channel.EMAIL: EMAIL_SENDER, Channel.SMS: SMS_SENDER, Channel.INAPP: GATEWAY_INAPP}
