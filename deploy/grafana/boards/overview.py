"""Whether the promise is kept, on one page."""

from typing import Final

from deploy.grafana.asking import both, now, per_second, quantile, within
from deploy.grafana.panels import Board, Panel, Row

GOOD, ODD, BAD = "green", "orange", "red"
BAD_ABOVE_0: Final = ((0, GOOD), (1, BAD))

PROMISE: Final = (
    Panel(
        "Services up",
        "Of the processes that Prometheus knows.",
        [("sum(up{job=~'intake|scheduler|email_sender|sms_sender|gateway'})", "up")],
        kind="stat",
        steps=((0, BAD), (5, GOOD)),
        width=3,
    ),
    Panel(
        "Accounted for by nobody",
        "Accepted, and neither ended nor open: 0, or something is lost. A moment's difference is none.",
        [("max(tocsin_reconciliation_lost)", "lost")],
        kind="stat",
        steps=BAD_ABOVE_0,
        width=3,
    ),
    Panel(
        "Oldest open",
        "How long the oldest is due without an end.",
        [("max(tocsin_oldest_open_age_seconds)", "age")],
        unit="s",
        kind="stat",
        steps=((0, GOOD), (300, ODD), (3600, BAD)),
        width=3,
    ),
    Panel(
        "Latest reminder, p99 of an hour",
        "From the planned instant to the firing. The promise is 1 s while all is healthy.",
        [quantile(0.99, "tocsin_timer_lateness_seconds", window="1h")],
        unit="s",
        kind="stat",
        steps=((0, GOOD), (1, BAD)),
        width=3,
    ),
    Panel(
        "Copies in 24 h",
        "Sent again where nobody knows whether it had arrived; each is marked.",
        [(within("tocsin_notifications_copies_flagged_total", "24h"), "copies")],
        kind="stat",
        steps=((0, GOOD), (1, ODD)),
        width=3,
    ),
    Panel(
        "Hand-overs unknown in 24 h",
        "Nobody knows what became of them.",
        [(within("tocsin_claims_unknown_total", "24h"), "unknown")],
        kind="stat",
        steps=((0, GOOD), (1, ODD)),
        width=3,
    ),
    Panel(
        "Poison in 24 h",
        "Records that nobody can read; their bytes are on `notifications.failed`.",
        [(within("tocsin_poison_records_total", "24h"), "records")],
        kind="stat",
        steps=((0, GOOD), (1, ODD)),
        width=3,
    ),
    Panel(
        "Alerts that fire",
        "docs/runbook.md has a paragraph for each.",
        [("count(ALERTS{alertstate='firing', alertname=~'Tocsin.*'}) or vector(0)", "alerts")],
        kind="stat",
        steps=BAD_ABOVE_0,
        width=3,
    ),
)

BOARD: Final = Board(
    "tocsin-overview",
    "Tocsin: overview",
    "What comes, what goes, and whether the promise is kept.",
    (
        Row("The promise", PROMISE),
        Row(
            "Comes and goes",
            (
                Panel(
                    "Accepted per second",
                    "By the judge: all that came by REST or Kafka, and what schedules and reminders asked for.",
                    [per_second("tocsin_notifications_accepted_total", "channel", "lane", where="job='intake'")],
                ),
                Panel(
                    "Sent per second",
                    "Taken by a provider, or shown in the inbox.",
                    [per_second("tocsin_notifications_sent_total", "channel")],
                ),
                Panel(
                    "Ended otherwise per second",
                    "Failed, rejected, cancelled, expired.",
                    [per_second("tocsin_notifications_failed_total", "channel", "outcome")],
                ),
                Panel(
                    "From accepted to sent",
                    "Or from the planned instant, where that is later.",
                    both("tocsin_notification_end_to_end_seconds", "channel"),
                    unit="s",
                ),
                Panel(
                    "Lag",
                    "Records that a group has not yet done with.",
                    [now("tocsin_consumer_lag_records", "group")],
                ),
                Panel(
                    "Accepted = ended + open",
                    "The gateway counts what was accepted and what ended, intake what is open: both lines are one.",
                    [
                        ("max(tocsin_reconciliation_accepted)", "accepted"),
                        ("max(tocsin_reconciliation_final) + max(tocsin_reconciliation_open)", "ended + open"),
                    ],
                ),
            ),
        ),
    ),
)
