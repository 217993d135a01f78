"""What waits for its time, and how punctual it is."""

from typing import Final

from deploy.grafana.asking import now, per_second, quantile
from deploy.grafana.panels import Board, Panel, Row

BOARD: Final = Board(
    "tocsin-time",
    "Tocsin: time",
    "Timers, schedules, reminders and daily reports: how many wait, how late they fire; and how jobs did.",
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
        Row(
            "Jobs",
            (
                Panel(
                    "Failed in its last run",
                    "1: one of the services that have a part in the job could not do it; `tocsin jobs list` says more.",
                    [now("tocsin_job_failed", "kind", how="max")],
                    steps=((0, "green"), (1, "red")),
                ),
                Panel(
                    "How late a job is",
                    "Its instant has passed without a run, or its run goes on without an end: 0 while all is well.",
                    [now("tocsin_job_late_seconds", "kind", how="max")],
                    unit="s",
                ),
                Panel(
                    "Cleaned up in a day",
                    "Rows that had been kept for long enough, by service; and notifications that were archived before.",
                    [
                        ("sum by (job) (increase(tocsin_cleanup_deleted_rows_total[24h]))", "{{job}}"),
                        ("sum(increase(tocsin_cleanup_archived_records_total[24h]))", "archived"),
                    ],
                ),
            ),
        ),
    ),
)
