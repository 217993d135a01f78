"""What people see as it happens: REST, the inbox and its open streams."""

from typing import Final

from deploy.grafana.asking import both, now, per_second, quantile
from deploy.grafana.panels import Board, Panel, Row

BOARD: Final = Board(
    "tocsin-streams",
    "Tocsin: real time and REST",
    "Open streams, the inbox, and how quickly the gateway answers.",
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
