"""One timer for many deadlines, most of which are met: taking a timer back costs more than a look in vain."""

import asyncio
from collections.abc import Callable


class Lookout:
    """Calls `look` at the nearest instant it was set to; takes no timer back for a later one, and rather looks in vain.

    Instants are the event loop's time. `look` sees to what is over, and says when to look next; None: when it is set
    again.
    """

    __slots__ = ("_look", "_timer")

    def __init__(self, look: Callable[[], float | None]) -> None:
        self._look = look
        self._timer: asyncio.TimerHandle | None = None

    def set(self, instant: float) -> None:
        """Look then, unless a look is due before."""
        if self._timer is None or self._timer.when() > instant:
            self.cancel()
            self._timer = asyncio.get_running_loop().call_at(instant, self._looks)

    def cancel(self) -> None:
        """Nothing is left to look for."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _looks(self) -> None:
        self._timer = None
        following = self._look()
        if following is not None:
            self.set(following)
