"""What may happen in a world, and how often; and the worlds in which a rule matters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

KNOBS: Final[Mapping[str, float]] = {
    "crash": 0.02,
    "pause": 0.02,  # a process stands still, and its session times out
    "rebalance": 0.02,
    "dbdown": 0.06,  # PostgreSQL fails before a transaction
    "acklost": 0.06,  # a commit, but not its acknowledgement
    "senderr": 0.06,  # Kafka fails a producer, who may have been heard all the same
    "senddup": 0.08,  # Kafka keeps a record twice
    "sendlate": 0.5,  # what a producer gave up comes later
    "race": 0.3,  # claims are read well before they are written
    "loss": 0.006,  # the data of one topic or of all
    "slow": 0.3,  # a provider, longer than a lease
    "anslost": 0.25,  # a provider's answer
    "transient": 0.4,  # a provider fails one that would be taken later
    "permanent": 0.15,
    "hold": 0.03,  # the hold switch is turned
    "callbacks": 0.8,  # the provider calls back
    "bad": 0.1,  # a request that intake rejects
    "conflict": 0.5,  # the same key with another body
    "cancel": 0.6,
    "move": 0.6,
    "short": 0.3,  # an explicit and early expiry
    "directory": 0.05,  # the person's address changes
    "inapp": 0.3,
    "urgent": 0.4,
    "kafka_source": 0.5,  # written to Kafka, not posted
    "resend_policy": 0.8,  # P5.2, `resend`; off: `fail`
    "takeback_lost": 0.6,  # the scheduler never hears of a cancel
    "group": 0.4,
    "spare": 0.5,  # there is a second provider
    "shut": 0.04,  # a provider is shut, or open again
}
"""Probabilities, as a usual world has them; each draws which of them it has, and whether rarer or more often."""
FAULTS: Final = (
    "crash",
    "pause",
    "rebalance",
    "dbdown",
    "acklost",
    "senderr",
    "senddup",
    "loss",
    "slow",
    "anslost",
    "hold",
    "shut",
)
CALM: Final = dict.fromkeys((*FAULTS, "short", "spare"), 0.0)
"""Nothing breaks, nothing expires early, there is one provider."""

BOOST: Final[Mapping[str, Mapping[str, float]]] = {
    "conflict_own_id": {"conflict": 1, "kafka_source": 1},
    "edit_number": {
        **CALM,
        "senderr": 0.4,
        "move": 1,
        "sendlate": 1,
        "cancel": 0,
        "inapp": 0,
        "group": 0,
        "kafka_source": 0,
    },
    "past_repeat": {"move": 1, "loss": 0.02, "senderr": 0.1},
    "again_quiet": {"loss": 0.02},
    "ripe_round": {"move": 1, "group": 0, "inapp": 0, "cancel": 0},
    "cancel_memory": {"cancel": 1, "senderr": 0.1},
    "stub_speaks": {"cancel": 1, "loss": 0.03, "kafka_source": 1},
    "end_lane": {**CALM, "hold": 0.02, "cancel": 1},
    "end_stored": {"cancel": 1, "loss": 0.03},
    "group_through": {"group": 1},
    "group_max": {
        "group": 1,
        "senderr": 0.3,
        "sendlate": 1,
        "cancel": 0,
        "kafka_source": 0,
        "crash": 0.05,
        "pause": 0.05,
    },
    "group_newer": {"group": 1},
    "group_answer": {"group": 1, "loss": 0.04},
    "end_expired": {"short": 1, "hold": 0.05, "loss": 0.02},
    "sweep": {"loss": 0.03, "kafka_source": 1},
    "served_until": {"hold": 0.05, "pause": 0.04},
    "served_slack": {"hold": 0.05, "pause": 0.04},
    "sweep_heard": {"pause": 0.06, "crash": 0.04},
    "retry_heard": {**CALM, "transient": 0.6, "cancel": 0, "move": 0},
    "doubling": {"hold": 0.05},
    "timer_key": {"move": 1, "transient": 0.5},
    "fire_in_tx": {"crash": 0.04},
    "end_kept": {**CALM, "slow": 0.5, "cancel": 1, "transient": 0.6, "group": 0},
    "end_low": {**CALM, "slow": 0.5, "cancel": 1, "transient": 0.7, "group": 0, "permanent": 0, "inapp": 0},
    "all_claims": {"hold": 0.05, "pause": 0.04},
    "final_again": {"cancel": 1, "transient": 0.5},
    "hold_try": {"hold": 0.05, "pause": 0.04},
    "unique": {"race": 0.5, "senddup": 0.3, "pause": 0.04},
    "token_once": {**CALM, "acklost": 0.08},
    "give_back": {**CALM, "acklost": 0.08, "hold": 0.06},
    "unknown_final": {"anslost": 0.4, "cancel": 1, "short": 0.5},
    "same_provider": {"anslost": 0.4, "spare": 1, "shut": 0.05},
    "resend_now": {"pause": 0.05, "crash": 0.05},
    "count_claims": {"anslost": 0.3, "crash": 0.04},
    "late_ends": {"short": 1, "transient": 0.5},
    "expiry_check": {"short": 1, "hold": 0.04},
    "urgent_flows": {**CALM, "hold": 0.02, "cancel": 1},
    "lease_check": {"pause": 0.04, "slow": 0.3},
    "token": {"slow": 0.4, "transient": 0.4},
    "late_accept": {"slow": 0.4, "permanent": 0.3},
    "unannounced": {
        **CALM,
        "crash": 0.1,
        "rebalance": 0.2,
        "senderr": 0.6,
        "slow": 0.8,
        "resend_policy": 0,
        "inapp": 0,
        "cancel": 0,
        "move": 0,
        "transient": 0,
        "permanent": 0,
        "callbacks": 0,
        "kafka_source": 0,
        "group": 0,
    },
    "end_first": {**CALM, "hold": 0.02, "cancel": 1},
    "end_claim": {"cancel": 1, "hold": 0.06},
    "end_waits": {"cancel": 1, "slow": 0.4},
    "end_next": {"race": 0.5, "cancel": 1, "transient": 0.5},
    "inbox_end": {"inapp": 1, "cancel": 1},
    "receipt_proves": {"anslost": 0.4, "callbacks": 1},
    "answered": {"loss": 0.02},
    "ask_late": {"loss": 0.03, "kafka_source": 1},
    "ask_anew": {"loss": 0.03, "kafka_source": 1},
    "reconcile": {"inapp": 0.5, "kafka_source": 1, "loss": 0.05, "rebalance": 0.05},
    "publish_first": {"crash": 0.04},
    "contiguous": {"crash": 0.04},
    "admit_reset": {"loss": 0.03},
    "meta": {"loss": 0.04, "kafka_source": 1, "rebalance": 0.05},
    "end_offset": {"loss": 0.04, "kafka_source": 1, "rebalance": 0.04},
    "lanes_die": {"rebalance": 0.15, "slow": 0.5, "crash": 0.03, "pause": 0.05},
}
"""What a world needs so that a rule matters (used by `without` and `mutate`)."""
