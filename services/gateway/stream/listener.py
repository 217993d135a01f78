"""One open connection of a person, and all of a person's connections here."""

import asyncio
from dataclasses import dataclass, field

from services.gateway.store.inbox import Person
from services.gateway.stream.codes import Close
from services.gateway.stream.frames import Frame, News, Words, count
from services.gateway.stream.wires import Wire


class Listener:
    """One connection. It is `live` while all that comes is written to it at once; otherwise it reads by itself what
    it missed, and `behind` says that something came meanwhile.

    `position` is the last offset written to it: nothing at or below is written again, nothing above is left out.
    """

    __slots__ = ("behind", "live", "person", "position", "reading", "told", "until", "wire")

    def __init__(self, person: Person, wire: Wire, position: int, unread: int, until: float | None) -> None:
        """`until`: the Unix time at which what it was let in for expires."""
        self.person = person
        self.wire = wire
        self.position = position
        self.until = until
        self.told = unread
        self.live = False
        self.behind = False
        self.reading: asyncio.Task[None] | None = None

    def take(self, news: News, most_waiting: int) -> bool:
        """False: it has too much before it, or does not have all up to there, and must read at its own pace from here
        on."""
        if not self.live:
            self.behind = True
            return True
        if self.position == news.after and (all := news.together(self.told)):
            self.live = self.wire.backlog <= most_waiting
            if self.live:
                self.wire.write(all)
                self.position, self.told = news.last, news.unread
            return self.live
        return self._take_one_by_one(news, most_waiting)

    def _take_one_by_one(self, news: News, most_waiting: int) -> bool:
        self.live = self.position >= news.after
        for frame in news.frames:
            self.live = self.live and self.wire.backlog <= most_waiting
            if not self.live:
                return False
            self.write(frame)
        self.tell(news.unread, news.count)
        return True

    def write(self, words: Words) -> None:
        """The next words, unless it has them."""
        if words.offset is not None and words.offset > self.position:
            self.wire.write(words)
            self.position = words.offset

    def tell(self, n: int, unread: Frame | None = None) -> None:
        """How much is unread, where that is news."""
        if n != self.told:
            self.wire.write(unread or count(n))
            self.told = n

    def end(self, close: Close) -> None:
        """The last word to it."""
        self.live, self.until = False, None
        self.wire.end(close)


@dataclass(slots=True)
class Audience:
    """A person's connections here. No live one has less than `position`; None while there is none."""

    listeners: set[Listener] = field(default_factory=set)
    position: int | None = None

    def has(self, upto: int | None) -> bool:
        """Whether all up to this offset was told already: who read by himself then was told that there is more."""
        return upto is not None and self.position is not None and self.position >= upto

    def stir(self) -> int | None:
        """Something came. From where it is to be written to those who are live, None where nobody is; whoever reads
        by himself is told that there is more."""
        live = False
        for one in self.listeners:
            live = live or one.live
            one.behind = True
        if not live:
            self.position = None
        return self.position

    def joined(self, listener: Listener) -> None:
        """This one has everything up to its position, and goes on with the others. One that read a little later than
        it, and joined a little earlier, may have more."""
        listener.live = True
        self.position = listener.position if self.position is None else min(self.position, listener.position)
