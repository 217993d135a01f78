"""Mail that comes back is taken at a port of our own, by SMTP or LMTP, and answered once Kafka has what it says."""

import asyncio
import errno
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from contracts.events import Receipt
from contracts.status import Channel
from kit import logs
from kit.bus.publisher import Publisher, PublishFailed
from kit.bus.record import Outgoing
from kit.clock import utc_now
from kit.web_server import PortTaken
from services.email_sender.composing.mail import wire_address
from services.email_sender.returned.conversation import LATER, Conversation
from services.email_sender.rules.coming_back import WORDS
from services.email_sender.rules.reading_reports import is_automatic, read
from services.email_sender.rules.report import Kind, Report
from services.email_sender.rules.return_address import LAPSES_DAYS, Origin, ReturnAddress

NAME: Final = "returned_mail"
TAKEN: Final = "250 2.0.0 taken"
NOTHING_NEW: Final = "250 2.0.0 taken, and says nothing new"
NO_REPORT: Final = "550 5.7.1 nobody reads what comes here but reports of mail servers"
NOT_FROM_A_SERVER: Final = "550 5.7.1 reports about delivery come from <>"
UNREADABLE: Final = "554 5.6.0 this cannot be read as a mail"

log = logs.get(__name__)


class ReturnedMail:
    """A Part: listens from `start` to `stop`. `setting` is the name of the setting that holds the port."""

    def __init__(
        self,
        addresses: Sequence[ReturnAddress],
        publisher: Publisher,
        host: str,
        port: int,
        setting: str,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Port 0 takes a free one."""
        self.port = port
        self._addresses = addresses
        self._publisher = publisher
        self._host = host
        self._setting = setting
        self._clock = clock
        self._open: set[Conversation] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Raises PortTaken."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: Conversation(self, self._open), self._host, self.port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortTaken(
                f"port {self.port} of {self._host} is taken by another program: stop it, or set {self._setting} to a "
                "free port"
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server:
            self._server.close()
        await asyncio.gather(*(conversation.end() for conversation in list(self._open)))

    def about(self, address: str) -> Origin | None:
        """The hand-over that a return address names, if we have signed it and it has not lapsed."""
        day = self._clock().toordinal()
        found = (one.read(address, day) for one in self._addresses)
        return next((origin for origin in found if origin), None)

    def is_known(self, address: str) -> bool:
        """Whether mail to it is taken at all."""
        if self.about(address) is not None or any(one.takes_complaints(address) for one in self._addresses):
            return True
        day = self._clock().toordinal()
        if any(one.has_lapsed(address, day) for one in self._addresses):
            log.info("return_address_lapsed", days=LAPSES_DAYS)
        return False

    async def take(self, sender: str, recipient: str, source: bytes) -> str:
        """A whole mail; what is answered to it."""
        try:
            report = await asyncio.to_thread(read, source)
        except Exception as error:  # what Python's parser makes of mails that nobody could read
            log.warning("returned_mail_unreadable", error=type(error).__name__)
            return UNREADABLE
        if report is None:
            return NOTHING_NEW if not sender or is_automatic(source) else NO_REPORT
        if report.kind is Kind.COMPLAINT:
            return await self._note(self.about(report.returns_to or "") or self.about(recipient), report)
        return await self._note(self.about(recipient), report) if not sender else NOT_FROM_A_SERVER

    async def _note(self, about: Origin | None, report: Report) -> str:
        kind = _blamed(about, report) if about else report.kind
        log.info("mail_came_back", id=about and str(about.id), kind=kind.name.lower())
        if about is None:
            return NOTHING_NEW
        try:
            await self._publisher.publish([Outgoing.of(_receipt(about, WORDS[kind], report))])
        except PublishFailed:
            return LATER
        return TAKEN


def _blamed(about: Origin, report: Report) -> Kind:
    """Whoever forwards his mail to an address that is gone is there himself: it did not arrive, and that is all."""
    if report.kind is Kind.GONE and not any(about.went_to(wire_address(one)) for one in report.about):
        return Kind.FAILED
    return report.kind


def _receipt(about: Origin, word: str, report: Report) -> Receipt:
    said = {"id": about.id, "try": about.try_, "channel": Channel.EMAIL, "provider": NAME}
    return Receipt.model_validate(said | {"status": word, "code": report.told, "received_at": utc_now()})
