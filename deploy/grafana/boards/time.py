"""What waits for its time, and how punctual it is."""

from typing import Final

from deploy.grafana.asking import now, per_second, quantile
from deploy.grafana.panels import Board, Panel, Row

BOARD: Final = Board(
    "tocsin-time",
    "Tocsin: time",
    "Timers, schedules, reminders and daily reports: how many wait, how late they fire.",
    (
        Row(
            "What waits",
            (
                Panel("Waiting", "An estimate where they are many.", [now("tocsin_timers_pending", "kind", how="max")]),
                Panel(
                    "Overdue",
                    "More than a second late: 0 while the scheduler keeps up.",
                    [now("tocsin_timers_overdue", "kind", how="max")],
                ),
                Panel("Fired per second", "By kind.", [per_second("tocsin_timers_fired_total", "kind")]),
                Panel(
                    "Put off by the judge",
                    "Accepted for later: a planned time, quiet hours, a cap.",
                    [per_second("tocsin_notifications_scheduled_total", "channel", "lane")],
                ),
            ),
        ),
        Row(
            "How late",
            (
                Panel(
                    "Firing, p99",
                    "From the planned instant to the firing.",
                    [quantile(0.99, "tocsin_timer_lateness_seconds", "kind")],
                    unit="s",
                ),
                Panel(
                    "Hand-over, p99",
                    "From the planned instant to the first hand-over: the promise is 1 s while all is healthy.",
                    [quantile(0.99, "tocsin_notification_lateness_seconds", "channel")],
                    unit="s",
                ),
                Panel(
                    "Fired within a second, of the last hour",
                    "The share.",
                    [
                        (
                            "sum by (kind) (rate(tocsin_timer_lateness_seconds_bucket{le='1.0'}[1h]))"
                            " / sum by (kind) (rate(tocsin_timer_lateness_seconds_count[1h]))",
                            "{{kind}}",
                        )
                    ],
                    unit="percentunit",
                ),
            ),
        ),
    ),
)
