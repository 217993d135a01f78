"""What the pipe asks of a provider: take one message, and say what became of it."""

from typing import NamedTuple, Protocol

from contracts.events import Content, Due
from kit.delivery.outcomes import Outcome


class Parcel(NamedTuple):
    """One message to hand over; `copy_possible`: an earlier hand-over of it may have been taken (P5.2)."""

    due: Due
    try_: int = 1
    copy_possible: bool = False

    @property
    def content(self) -> Content:
        assert self.due.content is not None, "a due without content is never handed over"
        return self.due.content

    def holding(self, content: Content) -> "Parcel":
        """The same with other content."""
        return self._replace(due=self.due.model_copy(update={"content": content}))

    @property
    def to(self) -> str:
        return self.content.to or ""


class Provider(Protocol):
    """Someone who takes messages. `hand_over` answers within `timeout` seconds, and never raises what it could say."""

    name: str
    timeout: float

    async def hand_over(self, parcel: Parcel) -> Outcome: ...
