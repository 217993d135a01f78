"""Sessions are kept open for the next mail, but not for ever, and not after any trouble."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from services.email_sender.providers.smtp.session import Session

MOST_MAILS: Final = 100
OLDEST: Final = 300.0
IDLE: Final = 5.0
"""Seconds without use after which a session is asked whether it still answers."""
ASK: Final = 2.0
"""Seconds it may take to answer that."""

Open = Callable[[float], Awaitable[Session]]


class Pool:
    """As many sessions as there are mails under way at once; `open_` makes one by a deadline."""

    def __init__(
        self, open_: Open, *, most_mails: int = MOST_MAILS, oldest: float = OLDEST, idle: float = IDLE
    ) -> None:
        self._open = open_
        self._most_mails = most_mails
        self._oldest = oldest
        self._idle_limit = idle
        self._idle: list[Session] = []

    async def take(self, deadline: float) -> Session:
        """A session that is nobody else's, the one used last if there is one. Raises what `open_` raises."""
        now = asyncio.get_running_loop().time
        while self._idle:
            session = self._idle.pop()
            if not self._fit(session, now()):
                session.close()
            elif now() - session.used_at < self._idle_limit or await session.answers(min(now() + ASK, deadline)):
                return session
        return await self._open(deadline)

    def give_back(self, session: Session) -> None:
        """For the next one, if it is still fit."""
        if self._fit(session, asyncio.get_running_loop().time()):
            self._idle.append(session)
        else:
            session.close()

    async def close(self) -> None:
        """Says goodbye to all that are idle."""
        while self._idle:
            self._idle.pop().close()

    def _fit(self, session: Session, now: float) -> bool:
        return session.good and session.mails < self._most_mails and now - session.opened_at < self._oldest
