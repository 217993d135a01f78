"""One notification's life: the links to it, and how long each station of its way takes at present."""

from typing import Final

from deploy.grafana.asking import both, now, per_second, quantile
from deploy.grafana.panels import Board, Panel, Row, Text

WORDS: Final = """
No figure carries an id: that would make a series of each notification. What happened to one is told by its timeline:

- [${gateway}/v1/notifications/${id}](${gateway}/v1/notifications/${id}), with a token: `tocsin token --user me --admin`
- `tocsin watch ${id}` prints the same as it goes on
- its lines in the logs: `grep ${id} logs/notifications.log`

Below: the stations of the way in its order, and how long each takes at present for those that pass there.
"""

BOARD: Final = Board(
    "tocsin-life",
    "Tocsin: one notification's life",
    "Where one is, by its id; and how long each station of the way takes.",
    (
        Row("This one", (Text("Where to look", WORDS),)),
        Row(
            "Judged",
            (
                Panel(
                    "Waiting for the judge",
                    "What intake has not yet done with, by lane.",
                    [now("tocsin_consumer_lag_records", "topic", where="group='intake'")],
                ),
                Panel(
                    "A batch of the judge",
                    "From poll to commit.",
                    [quantile(0.99, "tocsin_stage_batch_seconds", "stage", where="job='intake'")],
                    unit="s",
                ),
            ),
        ),
        Row(
            "Sent",
            (
                Panel(
                    "Waiting for a sender",
                    "By channel and lane.",
                    [now("tocsin_consumer_lag_records", "topic", where="topic=~'notifications.due.*'")],
                ),
                Panel(
                    "In the sender",
                    "In the queue before a step: claim, hand over, record, say.",
                    [now("tocsin_deliveries_waiting", "channel", "step")],
                ),
                Panel(
                    "The provider's answer",
                    "From the hand-over on.",
                    both("tocsin_provider_answer_seconds", "channel"),
                    unit="s",
                ),
                Panel(
                    "Tried again",
                    "Attempts per second that were put off.",
                    [per_second("tocsin_notifications_retries_total", "channel", "reason")],
                ),
            ),
        ),
        Row(
            "Seen",
            (
                Panel(
                    "Waiting for the timeline",
                    "What the gateway has not yet done with.",
                    [now("tocsin_consumer_lag_records", "topic", where="group='gateway'")],
                ),
                Panel(
                    "The whole way",
                    "From accepted, or the planned instant, until the provider or the inbox has it.",
                    both("tocsin_notification_end_to_end_seconds", "channel"),
                    unit="s",
                ),
            ),
        ),
    ),
    asked=(("id", "Notification", "its-id"), ("gateway", "Gateway", "http://127.0.0.1:8000")),
)
