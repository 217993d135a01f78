"""The SMS sender's own numbers, each with a sentence; what people set is in `kit.settings`."""

from typing import Final

IN_FLIGHT: Final = (200, 500, 500)
"""Records under way at most, of the urgent, the normal and the bulk lane."""
HANDS: Final = 32
"""Hand-overs at a time to a provider, more where the settings give one more connections."""
SPARE: Final = 8
"""Of these, for the urgent lane alone: bulk cannot occupy them."""
LEASE_SECONDS: Final = 40.0
"""How long a claim keeps others away; what waits longer for a hand than this leaves time for is claimed anew."""
CONNECTIONS: Final = 8
"""To PostgreSQL."""
