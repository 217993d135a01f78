"""What a service tells of its work, for a trace; here nobody listens, and it costs a call that returns."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Literal
from uuid import UUID

Traced = tuple[UUID, str | None]
"""A notification, and the trace that it belongs to (`contracts/trace.py`)."""

Kind = Literal["consumer", "client"]


class Entry(AbstractContextManager["Entry"]):
    """The way in of one request. `trace` is what its notifications carry from here on."""

    def __init__(self, trace: str | None) -> None:
        self.trace = trace

    def about(self, id: UUID) -> None:
        """It became this notification."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        return None


class Tracer:
    """Records nothing, and passes on what it is given."""

    def now(self) -> int:
        """When something begins, for `done`; 0 where nobody listens."""
        return 0

    def entry(self, name: str, given: str | None) -> Entry:
        """A request comes in, from somebody whose trace is `given`."""
        return Entry(given)

    def begin(self, name: str, of: Iterable[UUID]) -> Mapping[UUID, Entry]:
        """Nobody asked for these notifications, their time has come: each begins a trace of its own, where one is
        recorded."""
        return {}

    def done(
        self, name: str, of: Iterable[Traced], began: int, kind: Kind = "consumer", error: str = "", **more: str
    ) -> None:
        """This was done for each of these notifications, from `began` until now; those without a trace are passed
        over. `error`: why it did not succeed."""

    async def close(self) -> None:
        """What was told is delivered, or given up after a moment."""


OFF: Final = Tracer()
