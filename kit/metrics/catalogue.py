"""All figures that there are, and every label with what its values can be: the one list."""

from typing import Final

from contracts.topics import SENDERS
from kit.metrics.figure import EVERYWHERE, GATEWAY, INTAKE, SCHEDULER, WHO_SENDS, Figure

LATENESS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
"""Close together also where it is minutes: between two of them a quantile is guessed, and told to people."""
BATCH: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
RECORDS: Final = (1, 10, 50, 100, 250, 500, 1000, 2000)
ANSWER: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
DELAY: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

LABELS: Final[dict[str, str]] = {
    "answer": "`sent`, `retry`, `failed`, `unknown` (a Result of `kit/delivery/rules.py`) or `halted`",
    "channel": "`email`, `sms`, `inapp`",
    "code": "a WebSocket close code of `services/gateway/stream/codes.py`",
    "fate": "`told`, `repeated` (told before), `held` (too many of its name), `dropped` (about alerts' own telling)",
    "group": "a consumer group of `contracts/topics.py`",
    "kind": "what waits: `timer`, `schedule`, `reminder`, `daily_report`; of what fired: a type of event; "
    "of a job: its name in `contracts/jobs.py`; "
    "of the outbox: `request`, `cancel`, `move`, `group`, `inbox`; of a sweep: what it said again; "
    "of a clean-up: `notifications`, `inbox`, `claims`, `orders` and so on",
    "lane": "`urgent`, `normal`, `bulk`",
    "method": "the HTTP method; `OTHER` of one that we do not serve",
    "outcome": "`failed`, `rejected`, `cancelled`, `expired`; "
    "of an attempt of a webhook: `delivered`, `retried`, `failed`, `gone`",
    "per": "`second`, `minute`, `day`",
    "pool": "`pool`; of the gateway also `front_pool`, of those who ask",
    "provider": "a name from the settings, `inbox`, or `simulator`",
    "python": "the version of Python",
    "reason": "a stable word of P2 (docs/protocol.md)",
    "route": "a route as the API's document writes it, parameters in braces; `other` where a path is none",
    "service": "one of the five",
    "stage": "the name of a stage, as its service's `app.py` gives it",
    "state": "of a provider: `open`, `ailing`, `shut`, `paused`, `used_up`; of a connection: `busy`, `idle`",
    "status": "the HTTP status",
    "step": "`claim`, `hand_over`, `held`, `record`, `say`: where in the sender (`kit/delivery/pipe/`)",
    "topic": "a topic of `contracts/topics.py`",
    "version": "of the installed Tocsin",
}
"""A label's values are bounded by what is written here, and by MOST_VALUES; none is an id, an address or a name of a
person or a tenant."""


def _counter(name: str, unit: str, services: tuple[str, ...], labels: str, sentence: str) -> Figure:
    return Figure(name, "counter", sentence, unit, services, tuple(labels.split()))


def _gauge(name: str, unit: str, services: tuple[str, ...], labels: str, sentence: str) -> Figure:
    return Figure(name, "gauge", sentence, unit, services, tuple(labels.split()))


def _histogram(
    name: str, unit: str, services: tuple[str, ...], labels: str, sentence: str, buckets: tuple[float, ...]
) -> Figure:
    return Figure(name, "histogram", sentence, unit, services, tuple(labels.split()), buckets)


# ------------------------------------------------------------------------------------------- the way of a notification

ACCEPTED: Final = _counter(
    "notifications_accepted",
    "notifications",
    (*INTAKE, *GATEWAY),
    "channel lane",
    "Accepted: by intake all, by the gateway those that came by REST",
)
REPEATED: Final = _counter(
    "requests_repeated",
    "requests",
    (*INTAKE, *GATEWAY),
    "lane",
    "Requests that were there already under the same key, and made nothing",
)
SCHEDULED: Final = _counter(
    "notifications_scheduled", "notifications", INTAKE, "channel lane", "Put off to a later time by the judge"
)
DUE: Final = _counter(
    "notifications_due",
    "notifications",
    (*INTAKE, *SENDERS),
    "channel lane",
    "Handed to a sender: by intake as said, by a sender as read",
)
SENT: Final = _counter("notifications_sent", "notifications", WHO_SENDS, "channel provider", "Taken by a provider")
DELIVERED: Final = _counter(
    "notifications_delivered", "notifications", SENDERS, "channel provider", "Arrived, as the provider reports"
)
UNDELIVERED: Final = _counter(
    "notifications_undelivered",
    "notifications",
    SENDERS,
    "channel provider",
    "Lost on the way, as the provider reports",
)
FAILED: Final = _counter(
    "notifications_failed",
    "notifications",
    (*INTAKE, *WHO_SENDS),
    "channel outcome reason",
    "Ended without being sent; each is counted by who said so",
)
RETRIES: Final = _counter(
    "notifications_retries", "attempts", SENDERS, "channel reason", "Attempts put off to a later time"
)
COPIES: Final = _counter(
    "notifications_copies_flagged", "notifications", SENDERS, "channel", "Sent again where a copy is possible"
)
LATENESS_OF: Final = _histogram(
    "notification_lateness_seconds",
    "seconds",
    SENDERS,
    "channel",
    "From the instant at which it was to be sent to its first hand-over",
    LATENESS,
)
END_TO_END: Final = _histogram(
    "notification_end_to_end_seconds",
    "seconds",
    WHO_SENDS,
    "channel",
    "From its acceptance (or its planned instant, if that is later) until the provider, or the inbox, has it",
    LATENESS,
)
OLDEST_OPEN: Final = _gauge(
    "oldest_open_age_seconds",
    "seconds",
    INTAKE,
    "channel",
    "How long the oldest is due without an end; 0: none is open",
)
POISON: Final = _counter("poison_records", "records", EVERYWHERE, "topic", "Records that nobody can read")
REPUBLISHED: Final = _counter(
    "sweep_republished", "events", (*INTAKE, *GATEWAY), "kind", "Said again by a sweep: something had been lost"
)

CLEANED: Final = _counter(
    "cleanup_deleted_rows", "rows", EVERYWHERE, "kind", "Deleted, after they were kept for long enough"
)
ARCHIVED: Final = _counter(
    "cleanup_archived_records", "notifications", GATEWAY, "", "Archived before they were deleted"
)

# --------------------------------------------------------------------------------------------------- the reconciliation

RECONCILED_ACCEPTED: Final = _gauge(
    "reconciliation_accepted", "notifications", GATEWAY, "", "Accepted since the beginning, as the gateway counts"
)
RECONCILED_FINAL: Final = _gauge(
    "reconciliation_final", "notifications", GATEWAY, "", "Ended since the beginning, as the gateway counts"
)
RECONCILED_OPEN: Final = _gauge(
    "reconciliation_open", "notifications", INTAKE, "", "Open now, as intake counts: row by row while they are few"
)
RECONCILED_LOST: Final = _gauge(
    "reconciliation_lost",
    "notifications",
    (*INTAKE, *GATEWAY),
    "",
    "Accounted for by nobody: intake's part of it, and by the gateway all of it",
)

# --------------------------------------------------------------------------------------------------------- the senders

PROVIDER_OPEN: Final = _gauge(
    "provider_open", "1 or 0", SENDERS, "channel provider", "Whether a provider is given all it can take"
)
PROVIDER_STATE: Final = _gauge(
    "provider_state", "1 or 0", SENDERS, "channel provider state", "1 at the state that the provider is in"
)
PROVIDER_ANSWERS: Final = _counter(
    "provider_answers", "hand-overs", SENDERS, "channel provider answer", "What hand-overs came to"
)
PROVIDER_SECONDS: Final = _histogram(
    "provider_answer_seconds", "seconds", SENDERS, "channel provider", "From a hand-over to its answer", ANSWER
)
BUDGET_LEFT: Final = _gauge(
    "provider_budget_left",
    "parts",
    SENDERS,
    "channel provider per",
    "What a pace still lets through in its window, when it was last looked at",
)
UNKNOWN: Final = _counter(
    "claims_unknown", "hand-overs", SENDERS, "channel", "Hand-overs of which nobody knows the end"
)
IN_FLIGHT: Final = _gauge("deliveries_in_flight", "notifications", SENDERS, "channel lane", "Read and not finished")
WAITING: Final = _gauge(
    "deliveries_waiting", "notifications", SENDERS, "channel step", "In the queue before a step of the sender"
)

# ---------------------------------------------------------------------------------------------------------------- time

FIRED: Final = _counter("timers_fired", "timers", SCHEDULER, "kind", "Timers fired")
TIMER_LATENESS: Final = _histogram(
    "timer_lateness_seconds", "seconds", SCHEDULER, "kind", "From the planned instant to the firing", LATENESS
)
TIMERS_PENDING: Final = _gauge(
    "timers_pending", "timers", SCHEDULER, "kind", "Wait for their time; an estimate where they are more than 10,000"
)
TIMERS_OVERDUE: Final = _gauge(
    "timers_overdue", "timers", SCHEDULER, "kind", "More than a second late; counted up to 10,000"
)
CATCHING_UP: Final = _gauge(
    "catching_up_partitions",
    "partitions",
    (*INTAKE, *SCHEDULER),
    "group",
    "After a restore: to be read again before anything acts on time alone; 0, or none: time goes on",
)

JOB_FAILED: Final = _gauge(
    "job_failed", "1 or 0", SCHEDULER, "kind", "Whether one of its owners failed in the last run of a job"
)
JOB_LATE: Final = _gauge(
    "job_late_seconds",
    "seconds",
    SCHEDULER,
    "kind",
    "How long a job's instant has passed without a run, or its run goes on without an end; 0: neither",
)

# ---------------------------------------------------------------------------------------------------- stages and queues

LAG: Final = _gauge("consumer_lag_records", "records", EVERYWHERE, "group topic", "Written and not yet done with")
STAGE_RECORDS: Final = _counter("stage_records", "records", EVERYWHERE, "stage", "Records a stage has done with")
STAGE_FAILURES: Final = _counter(
    "stage_failed_batches", "batches", EVERYWHERE, "stage", "Batches a stage had to do again"
)
STAGE_SECONDS: Final = _histogram(
    "stage_batch_seconds", "seconds", EVERYWHERE, "stage", "A batch, from poll to commit", BATCH
)
STAGE_BATCH: Final = _histogram("stage_batch_records", "records", EVERYWHERE, "stage", "Records in a batch", RECORDS)
OUTBOX: Final = _gauge(
    "outbox_pending", "requests", GATEWAY, "kind", "Accepted and not answered by the judge; counted up to 100,000"
)
QUEUE: Final = _gauge("accept_queue_requests", "requests", GATEWAY, "", "Wait to be written to the database")
STREAMS: Final = _gauge(
    "streams_open", "connections", GATEWAY, "", "Connections (WebSocket, SSE) that are told what happens"
)
STREAM_ENDS: Final = _counter("streams_ended", "connections", GATEWAY, "code", "Connections that were closed from here")
WEBHOOKS: Final = _counter(
    "webhook_attempts", "attempts", GATEWAY, "outcome", "Posts to webhooks, and what came of them"
)
WEBHOOKS_DISABLED: Final = _counter(
    "webhooks_disabled", "webhooks", GATEWAY, "", "Given up, after days of failures or because they said so (410)"
)
WEBHOOKS_PENDING: Final = _gauge(
    "webhook_deliveries_pending", "deliveries", GATEWAY, "", "Wait to be posted to webhooks; counted up to 100,000"
)
HTTP: Final = _counter("http_requests", "requests", GATEWAY, "method route status", "Requests answered")
HTTP_SECONDS: Final = _histogram(
    "http_request_seconds", "seconds", GATEWAY, "method route", "From a request to the beginning of its answer", ANSWER
)

ALERTS: Final = _counter(
    "alerts", "alerts", GATEWAY, "fate", "Posted by Alertmanager: each is told to `alerts.recipients`, or why not"
)

# --------------------------------------------------------------------------------------------------------- the process

POOL: Final = _gauge(
    "database_pool_connections", "connections", EVERYWHERE, "pool state", "Connections to PostgreSQL that are open"
)
POOL_MOST: Final = _gauge(
    "database_pool_connections_max", "connections", EVERYWHERE, "pool", "The most that may be open"
)
LOOP_DELAY: Final = _histogram(
    "event_loop_delay_seconds", "seconds", EVERYWHERE, "", "How late the event loop comes to what is due in it", DELAY
)
BUILD: Final = Figure("build", "info", "What runs here", "1", EVERYWHERE, ("service", "version", "python"))

CATALOGUE: Final = tuple(one for one in [*globals().values()] if isinstance(one, Figure))
