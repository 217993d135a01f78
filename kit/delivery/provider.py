"""What the pipe asks of a provider: take one message, and say what became of it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

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

    @property
    def to(self) -> str:
        return self.content.to or ""


class Provider(Protocol):
    """Someone who takes messages. `hand_over` answers within `timeout` seconds, and never raises what it could say."""

    name: str
    timeout: float

    async def hand_over(self, parcel: Parcel) -> Outcome: ...


class Answer(NamedTuple):
    """What a provider says when it is asked what became of a message: in its own words, as it would call back."""

    status: str
    code: str | None = None


@runtime_checkable
class Askable(Protocol):
    """A provider that can be asked what became of a message, by its own name for it.

    `ask_after` are seconds: from the acceptance until it is asked for the first time, and from each time to the next;
    it is asked as often as there are numbers, of `asks_per_second` messages at most, by all senders together. `became`
    answers None when there is no answer to be had now, and never raises what it could say.
    """

    name: str
    ask_after: Sequence[float]
    asks_per_second: int

    async def became(self, provider_id: str) -> Answer | None: ...
