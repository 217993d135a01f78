"""How a channel goes on after a failure, from its settings: data, not code."""

from collections.abc import Callable

from contracts.status import Lane
from kit.delivery.rules import Policy
from kit.settings import ChannelSettings


def policies(settings: ChannelSettings) -> Callable[[Lane], Policy]:
    """The policy of each lane."""
    of_lane = {lane: Policy(settings.retry.policy(lane), settings.on_unknown) for lane in Lane}
    return of_lane.__getitem__
