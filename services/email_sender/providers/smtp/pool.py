"""Sessions are kept open for the next mail, but not for ever, and not after any trouble; where there are many, a mail
rides behind another."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from services.email_sender.providers.smtp.session import Session

MOST_MAILS: Final = 100
OLDEST: Final = 300.0
MANY: Final = 24
"""From so many sessions in use on, a mail that may rides behind another instead of opening one more."""
IDLE: Final = 5.0
"""Seconds without use after which a session is asked whether it still answers."""
ASK: Final = 2.0
"""Seconds it may take to answer that."""

Open = Callable[[float], Awaitable[Session]]


class Pool:
    """Sessions for as many mails as are under way at once; `open_` makes one by a deadline."""

    def __init__(
        self,
        open_: Open,
        *,
        most_mails: int = MOST_MAILS,
        oldest: float = OLDEST,
        idle: float = IDLE,
        many: int = MANY,
    ) -> None:
        self._open = open_
        self._most_mails = most_mails
        self._oldest = oldest
        self._idle_limit = idle
        self._many = many
        self._idle: list[Session] = []
        self._with_room: list[Session] = []
        self._in_use = 0

    async def take(self, deadline: float, *, rides: bool = False) -> Session:
        """A session that is nobody else's, the one used last if there is one; with `rides`, perhaps one behind
        another mail. Whoever gets one gives it back. Raises what `open_` raises."""
        session = self._behind_another() if rides and not self._idle and self._in_use >= self._many else None
        if session is None:
            self._in_use += 1
            try:
                session = await self._alone(deadline)
            except BaseException:
                self._in_use -= 1
                raise
            self._with_room.append(session)
        session.enter()
        return session

    def give_back(self, session: Session) -> None:
        """For the next one, if it is still fit."""
        session.leave()
        if not session.empty:
            self._with_room.append(session)
            return
        self._in_use -= 1
        if session in self._with_room:
            self._with_room.remove(session)
        if self._fit(session, asyncio.get_running_loop().time()):
            self._idle.append(session)
        else:
            session.close()

    async def close(self) -> None:
        """Says goodbye to all that are idle."""
        while self._idle:
            self._idle.pop().close()

    def _behind_another(self) -> Session | None:
        now = asyncio.get_running_loop().time()
        while self._with_room:
            session = self._with_room.pop()
            if session.has_room and self._young(session, now):
                return session
        return None

    async def _alone(self, deadline: float) -> Session:
        now = asyncio.get_running_loop().time
        while self._idle:
            session = self._idle.pop()
            if not self._fit(session, now()):
                session.close()
            elif now() - session.used_at < self._idle_limit or await session.answers(min(now() + ASK, deadline)):
                return session
        return await self._open(deadline)

    def _fit(self, session: Session, now: float) -> bool:
        return session.good and self._young(session, now)

    def _young(self, session: Session, now: float) -> bool:
        return session.mails < self._most_mails and now - session.opened_at < self._oldest
