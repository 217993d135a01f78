"""Those who are held, unclaimed: the most urgent come out first, and in each lane who came first."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, Generic, Protocol, TypeVar

from kit.engine import Ticket

LANES: Final = 3


class Held(Protocol):
    """Who can be held."""

    ticket: Ticket


T = TypeVar("T", bound=Held)


class Waiting(Generic[T]):
    """A queue of each lane."""

    def __init__(self) -> None:
        self._queues: tuple[deque[T], ...] = tuple(deque() for _ in range(LANES))

    def append(self, one: T) -> None:
        self._queues[one.ticket.rank].append(one)

    def popleft(self) -> T:
        return next(queue for queue in self._queues if queue).popleft()

    def put_back(self, those: Iterable[T]) -> None:
        """Those who came out in vain, before all others of their lanes."""
        for one in reversed(list(those)):
            self._queues[one.ticket.rank].appendleft(one)

    def clear(self) -> None:
        for queue in self._queues:
            queue.clear()

    @property
    def rank(self) -> int:
        """Of the most urgent who waits; after the last lane's, where nobody does."""
        return next((rank for rank, queue in enumerate(self._queues) if queue), LANES)

    def of_rank(self, rank: int) -> int:
        """How many of that lane wait."""
        return len(self._queues[rank])

    def __len__(self) -> int:
        return sum(map(len, self._queues))

    def __iter__(self) -> Iterator[T]:
        return (one for queue in self._queues for one in queue)
