"""What all worlds have in common: how many ticks things take, the statuses (P2), and ids that are no notifications."""

from __future__ import annotations

from typing import Final

LEASE: Final = 25
"""Ticks for which a claim holds (P5.1)."""
SLACK: Final = 10
"""Ticks that a lane must have been served past an instant before the sweep believes that something is lost (P3.9)."""
SWEEP: Final = 25
"""The first pause of the sweeps of intake (P3.9) and of the gateway (P6.1); both double it."""
BACKOFF: Final = (8, 16)
ATTEMPTS: Final = 3
"""Delays and hand-overs of the retry policy (P5.3)."""
DEFAULT_EXPIRY: Final = 700
ENDS_AFTER: Final = 30
"""Ticks past its expiry after which intake ends what is still open (P3.7)."""
ASKS_AFTER: Final = 45
"""Ticks past its expiry after which the gateway asks for what is still open (P6.1)."""

FAULT_TICKS: Final = 140
QUIET_TICKS: Final = 3200
"""Until then things break; so long a world then has to come to rest."""

PARTITIONS: Final = 2
GROUP: Final = 500
DAY: Final = 501
"""Stand where an id stands: for the one group of the world, and for everything of the one day (P9)."""

RANK: Final = {
    "accepted": 0,
    "scheduled": 1,
    "retrying": 2,
    "cancelled": 3,
    "expired": 3,
    "rejected": 3,
    "failed": 3,
    "sent": 4,
    "undelivered": 5,
    "delivered": 6,
}
"""P2; all ends without a sending have one rank, since which of them it is decides nothing here."""
FINAL: Final = frozenset(status for status, rank in RANK.items() if rank >= RANK["cancelled"])
TAKEN: Final = frozenset({"sent", "undelivered", "delivered"})
