"""Mail by SMTP, to any relay."""

import asyncio
import ssl
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import uuid4

from contracts.status import Lane
from kit.clock import utc_now
from kit.delivery.outcomes import PROVIDER_UNAVAILABLE, Outcome, Refused, Unavailable, plain
from kit.delivery.provider import Parcel
from kit.delivery.trial import Trial
from services.email_sender.composing.cleaning import takes_long
from services.email_sender.composing.mail import Author, Mail, compose
from services.email_sender.composing.words import Unsafe
from services.email_sender.providers.smtp.opening import NotOpened, Relay, opened
from services.email_sender.providers.smtp.pool import MANY, MOST, Pool
from services.email_sender.providers.smtp.session import Session
from services.email_sender.providers.smtp.trying import tried
from services.email_sender.rules.return_address import ReturnAddress

TIMEOUT: Final = 25.0
"""Seconds for one mail in all, connection included: far more than a relay needs, less than a lease lasts."""
NOBODY_ELSE: Final[Mapping[str, Author]] = MappingProxyType({})


class Smtp:
    """The provider `smtp`. `author` stands in From, for some tenants another one of `authors`; what comes back goes to
    a return address of each hand-over, or to the author."""

    def __init__(
        self,
        name: str,
        relay: Relay,
        author: Author,
        *,
        authors: Mapping[str, Author] = NOBODY_ELSE,
        returns: ReturnAddress | None = None,
        timeout: float = TIMEOUT,
        tls: ssl.SSLContext | None = None,
        connections: int | None = None,
    ) -> None:
        """`tls`: instead of the system's certificates. `connections` at a time; where they are said, so many are
        opened before a mail rides behind another that is not answered quickly."""
        self.name = name
        self.timeout = timeout
        self._relay = relay
        self._author = author
        self._authors = authors
        self._returns = returns
        # One for all sessions: making it reads the whole store of certificates.
        self._tls = tls or (None if relay.security == "none" else ssl.create_default_context())
        self.pool = Pool(self._open, many=connections or MANY, most=connections or MOST)

    async def hand_over(self, parcel: Parcel) -> Outcome:
        deadline = asyncio.get_running_loop().time() + self.timeout
        try:
            mail = await self._mail(parcel)
        except Unsafe as error:
            return Refused("message_refused", plain(str(error)))
        urgent = parcel.due.lane is Lane.URGENT
        try:
            # An urgent mail waits for no other one's answer.
            return await self._sent(mail, deadline, urgent, rides=not urgent)
        except NotOpened as error:
            return error.outcome
        except TimeoutError:
            return Unavailable(PROVIDER_UNAVAILABLE, "every connection was busy until the time was over")

    async def tried(self, seconds: float) -> Trial:
        """Whether it is there, private, knows us, and lets us send as our author."""
        author = self._author.address
        sender = self._returns.of(uuid4(), 1, author, utc_now().toordinal()) if self._returns else author
        return await tried(self._relay, self._tls, sender, seconds)

    async def close(self) -> None:
        await self.pool.close()

    async def _sent(self, mail: Mail, deadline: float, urgent: bool, *, rides: bool) -> Outcome:
        session = (self.pool.behind_another() if rides else None) or await self.pool.take(deadline, urgent=urgent)
        try:
            said = await session.send(mail, deadline)
        finally:
            self.pool.give_back(session)
        return said or await self._sent(mail, deadline, urgent, rides=False)

    async def _mail(self, parcel: Parcel) -> Mail:
        author, now = self._authors.get(parcel.due.tenant, self._author), utc_now()
        if takes_long(parcel.content):
            mail = await asyncio.to_thread(compose, parcel, author, now)
        else:
            mail = compose(parcel, author, now)
        if self._returns is None:
            return mail
        return mail._replace(sender=self._returns.of(parcel.due.id, parcel.try_, mail.recipient, now.toordinal()))

    async def _open(self, deadline: float) -> Session:
        return await opened(self._relay, self._tls, deadline)
