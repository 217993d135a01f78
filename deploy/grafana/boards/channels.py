"""How each channel does, and each provider behind it."""

from typing import Final

from deploy.grafana.asking import both, now, per_second, quantile
from deploy.grafana.panels import Board, Panel, Row

BOARD: Final = Board(
    "tocsin-channels",
    "Tocsin: channels and providers",
    "What each provider takes and answers, what is tried again, and why things fail.",
    (
        Row(
            "Channels",
            (
                Panel(
                    "Sent per second",
                    "Taken by this provider.",
                    [per_second("tocsin_notifications_sent_total", "channel", "provider")],
                ),
                Panel(
                    "Share that ends well",
                    "Of what was sent, failed or came back: sent and not come back.",
                    [
                        (
                            "1 - (sum by (channel) (rate(tocsin_notifications_failed_total{outcome='failed'}[1h]))"
                            " or 0 * sum by (channel) (rate(tocsin_notifications_sent_total[1h])))"
                            " / (sum by (channel) (rate(tocsin_notifications_sent_total[1h]))"
                            " + (sum by (channel) (rate(tocsin_notifications_failed_total{outcome='failed'}[1h]))"
                            " or 0 * sum by (channel) (rate(tocsin_notifications_sent_total[1h]))))",
                            "{{channel}}",
                        )
                    ],
                    unit="percentunit",
                ),
                Panel(
                    "Failed, by reason",
                    "P2 of docs/protocol.md lists the reasons.",
                    [per_second("tocsin_notifications_failed_total", "channel", "reason")],
                ),
                Panel(
                    "Tried again, by reason",
                    "Attempts put off to a later time.",
                    [per_second("tocsin_notifications_retries_total", "channel", "reason")],
                ),
                Panel(
                    "Arrived, and come back",
                    "As providers report it; most relays report only what comes back.",
                    [
                        per_second("tocsin_notifications_delivered_total", "channel", "provider"),
                        per_second("tocsin_notifications_undelivered_total", "channel", "provider"),
                    ],
                ),
                Panel(
                    "Unknown, and copies",
                    "Hand-overs of which nobody knows the end, and what was sent again for that.",
                    [
                        per_second("tocsin_claims_unknown_total", "channel"),
                        per_second("tocsin_notifications_copies_flagged_total", "channel"),
                    ],
                ),
            ),
        ),
        Row(
            "Providers",
            (
                Panel(
                    "State",
                    "1 at the state that a provider is in; `GET /v1/admin/providers` says why.",
                    [
                        (
                            "max by (channel, provider, state) (tocsin_provider_state == 1)",
                            "{{channel}} {{provider}} {{state}}",
                        )
                    ],
                ),
                Panel(
                    "Answers per second",
                    "What hand-overs came to.",
                    [per_second("tocsin_provider_answers_total", "channel", "provider", "answer")],
                ),
                Panel(
                    "Time to answer",
                    "From a hand-over to its answer.",
                    both("tocsin_provider_answer_seconds", "channel", "provider"),
                    unit="s",
                ),
                Panel(
                    "Budget left",
                    "What a pace still lets through in its window; providers without a pace have no line.",
                    [now("tocsin_provider_budget_left", "channel", "provider", "per", how="min")],
                ),
                Panel(
                    "Under way",
                    "Read and not finished, by lane.",
                    [now("tocsin_deliveries_in_flight", "channel", "lane")],
                ),
                Panel(
                    "Where they wait",
                    "In the queue before a step of the sender.",
                    [now("tocsin_deliveries_waiting", "channel", "step")],
                ),
                Panel(
                    "Late at the hand-over",
                    "From the instant at which it was to be sent to its first hand-over.",
                    [quantile(0.99, "tocsin_notification_lateness_seconds", "channel")],
                    unit="s",
                ),
            ),
        ),
    ),
)
