"""The email sender's own numbers, each with a sentence; what people set is in `kit.settings`."""

from typing import Final

IN_FLIGHT: Final = (200, 1000, 1000)
"""Records under way at most, of the urgent, the normal and the bulk lane."""
HANDS: Final = 64
"""Hand-overs at a time to a provider, more where the settings give one more connections; from 24 on, two share one."""
SPARE: Final = 16
"""Of these, for the urgent lane alone: bulk cannot occupy them."""
LEASE_SECONDS: Final = 60.0
"""How long a claim keeps others away; what waits longer for a hand than this leaves time for is claimed anew."""
CONNECTIONS: Final = 8
"""To PostgreSQL."""
