"""Sessions are kept open for the next mail, but not for ever, and not after any trouble; where there are many, a mail
rides behind another."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from operator import attrgetter
from typing import Final

from services.email_sender.providers.smtp.session import Session

OLDEST: Final = 300.0
MANY: Final = 24
"""From so many sessions in use on, a mail that may rides behind another instead of opening one more."""
MOST: Final = 40
"""Sessions at a time, but for urgent mails: postfix lets nobody have more than 50 of them."""
IDLE: Final = 5.0
"""Seconds without use after which a session is asked whether it still answers."""
ASK: Final = 2.0
"""Seconds it may take to answer that."""

Open = Callable[[float], Awaitable[Session]]

_invites = attrgetter("invites")
_has_room = attrgetter("has_room")


class Pool:
    """Sessions for mails, at most `most` at a time; `open_` makes one by a deadline. `most_mails` per session: None
    leaves that to their kind."""

    def __init__(
        self,
        open_: Open,
        *,
        most_mails: int | None = None,
        oldest: float = OLDEST,
        idle: float = IDLE,
        ask: float = ASK,
        many: int = MANY,
        most: int = MOST,
    ) -> None:
        self._open = open_
        self._free = asyncio.Semaphore(most)
        self._counted: set[Session] = set()
        self._most_mails = most_mails
        self._oldest = oldest
        self._idle_limit = idle
        self._ask = ask
        self._many = many
        self._idle: list[Session] = []
        self._in_use: list[Session] = []
        self._quick: dict[Session, None] = {}
        """Those in use that may invite, in their order: mostly a few, or none at all, and every mail asks for one."""
        self._opening = 0

    def behind_another(self) -> Session | None:
        """One where a mail that may wait for others rides best, if there is such a one; it is to be given back."""
        found = self._first(_invites, self._quick)
        if not (found or self._idle) and len(self._in_use) + self._opening >= self._many:
            found = self._first(_has_room, self._in_use)
        if found:
            found.enter()
        return found

    async def take(self, deadline: float, *, urgent: bool = False) -> Session:
        """A session that is nobody else's, the one used last if there is one; it is to be given back. Raises
        TimeoutError where all are in use until the deadline (an urgent mail gets one more), and what `open_` raises."""
        if not urgent:
            await self._room(deadline)
        self._opening += 1
        try:
            session = await self._alone(deadline)
        except BaseException:
            if not urgent:
                self._free.release()
            raise
        finally:
            self._opening -= 1
        self._in_use.append(session)
        if not urgent:
            self._counted.add(session)
        session.enter()
        self._note(session)
        return session

    def give_back(self, session: Session) -> None:
        """For the next one, if it is still fit."""
        session.leave()
        if not session.empty:
            self._note(session)
            return
        self._in_use.remove(session)
        self._quick.pop(session, None)
        if session in self._counted:
            self._counted.remove(session)
            self._free.release()
        if self._fit(session, asyncio.get_running_loop().time()):
            self._idle.append(session)
        else:
            session.close()

    async def close(self) -> None:
        """Says goodbye to all that are idle."""
        while self._idle:
            self._idle.pop().close()

    async def _room(self, deadline: float) -> None:
        if not self._free.locked():
            await self._free.acquire()  # at once
            return
        async with asyncio.timeout_at(deadline):
            await self._free.acquire()

    def _note(self, session: Session) -> None:
        """How quick it is changes with each answer, and each answer ends in giving it back."""
        if session.quick:
            self._quick[session] = None
        else:
            self._quick.pop(session, None)

    def _first(self, fits: Callable[[Session], bool], among: Collection[Session]) -> Session | None:
        if not among:
            return None
        now = asyncio.get_running_loop().time()
        return next((session for session in among if fits(session) and self._young(session, now)), None)

    async def _alone(self, deadline: float) -> Session:
        now = asyncio.get_running_loop().time
        while self._idle:
            session = self._idle.pop()
            if not self._fit(session, now()):
                session.close()
            elif now() - session.used_at < self._idle_limit or await session.answers(min(now() + self._ask, deadline)):
                return session
        return await self._open(deadline)

    def _fit(self, session: Session, now: float) -> bool:
        return session.good and self._young(session, now)

    def _young(self, session: Session, now: float) -> bool:
        return session.mails < (self._most_mails or session.most_mails) and now - session.opened_at < self._oldest
