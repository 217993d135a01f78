"""The whole catcher: SMTP in front, the mailbox behind, and, where asked for, the page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local.catcher.mail import Mail, Try
from deploy.local.catcher.mailbox import Mailbox
from deploy.local.catcher.smtp import SmtpServer
from deploy.local.catcher.web import application
from kit.web_server import WebServer

LOOPBACK = "127.0.0.1"


class Catcher:
    """A catcher in this process: `async with Catcher() as catcher:`, then send to `catcher.port`."""

    def __init__(
        self, *, port: int = 0, page_port: int | None = None, file: Path | None = None, host: str = LOOPBACK
    ) -> None:
        """Port 0 takes a free one; without `page_port` there is no page; without `file` mails end with the process."""
        self.mailbox = Mailbox(file)
        self._smtp = SmtpServer(self.mailbox, host, port)
        self._page: WebServer | None = None
        if page_port is not None:
            self._page = WebServer(application(self.mailbox), host, page_port, "TOCSIN_MAIL_PAGE_PORT")

    @property
    def port(self) -> int:
        """Where SMTP listens."""
        return self._smtp.port

    @property
    def page_port(self) -> int:
        """Where the page and its API listen."""
        assert self._page is not None, "this catcher has no page"
        return self._page.port

    async def start(self) -> None:
        """Listens. Raises OSError (SMTP) or PortTaken (page) when a port is taken."""
        await self._smtp.start()
        if self._page is not None:
            await self._page.start()

    async def stop(self) -> None:
        """Ends everything; the mails stay in the file, if there is one."""
        self.mailbox.end_waiting()
        if self._page is not None:
            await self._page.stop()
        await self._smtp.stop()
        self.mailbox.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def mails(self, *, to: str | None = None, subject: str | None = None, message_id: str | None = None) -> list[Mail]:
        """The mails taken so far that fit, oldest first."""
        return self.mailbox.find(to=to, subject=subject, message_id=message_id)

    def tries(self, recipient: str | None = None) -> list[Try]:
        """Every transaction so far, refused ones included."""
        return self.mailbox.tries(recipient)

    async def wait_for(
        self,
        count: int = 1,
        *,
        to: str | None = None,
        subject: str | None = None,
        message_id: str | None = None,
        timeout: float = 60.0,
    ) -> list[Mail]:
        """The fitting mails as soon as there are `count`. Raises TimeoutError saying how many there were."""
        await self._until(
            lambda: len(self.mails(to=to, subject=subject, message_id=message_id)) >= count,
            timeout,
            lambda: f"{len(self.mails(to=to, subject=subject, message_id=message_id))} of {count} mails",
        )
        return self.mails(to=to, subject=subject, message_id=message_id)

    async def wait_for_tries(self, recipient: str, count: int = 1, *, timeout: float = 60.0) -> list[Try]:
        """The tries for a recipient as soon as there are `count`. Raises TimeoutError saying how many there were."""
        await self._until(
            lambda: len(self.tries(recipient)) >= count,
            timeout,
            lambda: f"{len(self.tries(recipient))} of {count} tries for {recipient}",
        )
        return self.tries(recipient)

    async def _until(self, fits: Callable[[], bool], timeout: float, seen: Callable[[], str]) -> None:
        try:
            async with asyncio.timeout(timeout):
                while not fits():
                    await self.mailbox.changed()
        except TimeoutError:
            raise TimeoutError(f"{seen()} after {timeout:g} s") from None
