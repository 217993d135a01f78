"""What people and other systems are told as it happens: the inbox and its open streams, webhooks, REST."""

from typing import Final

from deploy.grafana.asking import both, now, per_second, quantile
from deploy.grafana.panels import Board, Panel, Row

BOARD: Final = Board(
    "tocsin-streams",
    "Tocsin: real time, webhooks, REST",
    "Open streams, the inbox, other systems, and how quickly the gateway answers.",
    (
        Row(
            "Streams",
            (
                Panel("Open", "WebSocket and SSE, by gateway.", [now("tocsin_streams_open", "instance")]),
                Panel(
                    "Closed from here per second",
                    "By close code: docs/stream.md says what each means.",
                    [per_second("tocsin_streams_ended_total", "code")],
                ),
                Panel(
                    "Shown in the inbox per second",
                    "Exactly once each.",
                    [per_second("tocsin_notifications_sent_total", "provider", where="channel='inapp'")],
                ),
                Panel(
                    "From accepted to the inbox",
                    "Or from the planned instant, where that is later.",
                    both("tocsin_notification_end_to_end_seconds", where="channel='inapp'"),
                    unit="s",
                ),
            ),
        ),
        Row(
            "Webhooks",
            (
                Panel(
                    "Posts per second",
                    "To other systems, and what came of them.",
                    [per_second("tocsin_webhook_attempts_total", "outcome")],
                ),
                Panel(
                    "Waiting to be posted",
                    "Those that wait for their next attempt, too.",
                    [("max(tocsin_webhook_deliveries_pending)", "waiting")],
                ),
            ),
        ),
        Row(
            "REST",
            (
                Panel("Requests per second", "By status.", [per_second("tocsin_http_requests_total", "status")]),
                Panel(
                    "Time to answer, p99",
                    "By route.",
                    [quantile(0.99, "tocsin_http_request_seconds", "method", "route")],
                    unit="s",
                ),
                Panel(
                    "Waiting to be written",
                    "Requests that share the next transaction; what is over the limit is told to come back (503).",
                    [now("tocsin_accept_queue_requests", "instance")],
                ),
                Panel(
                    "Waiting for the judge",
                    "In the outbox, by kind.",
                    [now("tocsin_outbox_pending", "kind", how="max")],
                ),
                Panel(
                    "Repeats per second",
                    "Requests that were there already under the same key.",
                    [per_second("tocsin_requests_repeated_total", "job", "lane")],
                ),
            ),
        ),
    ),
)
