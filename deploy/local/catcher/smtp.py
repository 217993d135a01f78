"""The catcher's side of the SMTP conversation: aiosmtpd, with the misbehaviour that addresses ask for."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import NoReturn

from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.local.catcher.behaviour import DRIP_SECONDS, SLOW_SECONDS, Behave, Behaviour, Hang, Refuse, Step, behaviour
from deploy.local.catcher.mail import Try, headers
from deploy.local.catcher.mailbox import Mailbox

OK = "250 2.0.0 OK"
TAKEN = "250 2.0.0 taken"


class Conversation(SMTP):
    """One client's connection; it is its own aiosmtpd handler."""

    def __init__(self, mailbox: Mailbox, refused_once: set[tuple[str, str]], open_ones: set[Conversation]) -> None:
        super().__init__(self, hostname="catcher.localhost", ident="Tocsin mail catcher", enable_SMTPUTF8=True)
        self.mailbox = mailbox
        self.refused_once = refused_once
        self.open_ones = open_ones

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.open_ones.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.open_ones.discard(self)
        super().connection_lost(error)

    async def end(self) -> None:
        """Closes the connection and waits until its task has ended."""
        if self.transport is not None:
            self.transport.close()
        if self._handler_coroutine is not None:
            await asyncio.wait([self._handler_coroutine])

    async def handle_exception(self, error: Exception) -> str:
        return f"451 4.3.0 the catcher failed: {type(error).__name__}"

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", "250-ENHANCEDSTATUSCODES", *responses[-1:]]

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = await self._act(behaviour(address), "rcpt", [address], "")
        if answer is not None:
            return answer
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return OK

    async def smtp_DATA(self, arg: str) -> None:
        """Refuses or hangs before the text of the mail is asked for."""
        if self.envelope is not None and self.envelope.rcpt_tos:
            answer = await self._act(self._asked("data"), "data", self.envelope.rcpt_tos, "")
            if answer is not None:
                await self.push(answer)
                self.envelope = self._create_envelope()
                return
        await super().smtp_DATA(arg)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        source = envelope.original_content or b""
        own_id = headers(source).message_id
        asked = self._asked("dot")
        if isinstance(asked, Refuse) and asked.once and not self._first(envelope.rcpt_tos, own_id):
            asked = Behave()
        if isinstance(asked, Behave) or (isinstance(asked, Hang) and asked.keeps):
            self.mailbox.add(envelope.mail_from or "", envelope.rcpt_tos, source)
        answer = await self._act(asked, "dot", envelope.rcpt_tos, own_id)
        if answer is None:
            self._note(envelope.rcpt_tos, "dot", TAKEN, own_id)
        return answer or TAKEN

    def _asked(self, step: Step) -> Behaviour:
        """What the recipients ask for at this step: the first that asks for anything decides."""
        assert self.envelope is not None
        asked = (behaviour(address) for address in self.envelope.rcpt_tos)
        return next((one for one in asked if not isinstance(one, Behave) and one.step == step), Behave())

    async def _act(self, asked: Behaviour, step: Step, recipients: list[str], own_id: str) -> str | None:
        """The answer that this behaviour gives at this step; None: as if nothing had been asked. May never return."""
        match asked:
            case Refuse() if asked.step == step:
                self._note(recipients, step, asked.line, own_id)
                if asked.closes:
                    await self.push(asked.line)
                    await self._gone()
                return asked.line
            case Hang() if asked.step == step:
                return await self._hang(asked, recipients, own_id)
        return None

    async def _hang(self, asked: Hang, recipients: list[str], own_id: str) -> str | None:
        match asked.how:
            case "drop":
                self._note(recipients, asked.step, "", own_id)
                await self._gone()
            case "silent":
                self._note(recipients, asked.step, "", own_id)
                await asyncio.Event().wait()
            case "slow":
                await asyncio.sleep(SLOW_SECONDS)
            case "drip":
                for byte in f"{TAKEN[:3]}-".encode():
                    self._writer.write(bytes([byte]))
                    await asyncio.sleep(DRIP_SECONDS)
                self._writer.write(b"dripping\r\n")
        return None

    async def _gone(self) -> NoReturn:
        """Closes the connection; aiosmtpd cancels this task when it notices."""
        if self.transport is not None:
            self.transport.close()
        await asyncio.Event().wait()
        raise AssertionError("a closed connection answers nothing")

    def _first(self, recipients: list[str], own_id: str) -> bool:
        """Whether this mail comes to these recipients for the first time."""
        key = ("\n".join(recipients).lower(), own_id)
        if key in self.refused_once:
            return False
        self.refused_once.add(key)
        return True

    def _note(self, recipients: list[str], step: Step, answer: str, own_id: str) -> None:
        for recipient in recipients:
            self.mailbox.note(Try(datetime.now(UTC), recipient, step, answer, own_id))


class SmtpServer:
    """The listening socket and its open conversations."""

    def __init__(self, mailbox: Mailbox, host: str, port: int) -> None:
        """Port 0 takes a free one."""
        self._mailbox = mailbox
        self._host = host
        self._port = port
        self._refused_once: set[tuple[str, str]] = set()
        self._open: set[Conversation] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._server is not None, "start it first"
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listens. Raises OSError when the port is taken."""

        def conversation() -> Conversation:
            return Conversation(self._mailbox, self._refused_once, self._open)

        self._server = await asyncio.get_running_loop().create_server(conversation, self._host, self._port)

    async def stop(self) -> None:
        """Stops listening and ends every conversation."""
        if self._server is not None:
            self._server.close()
        for conversation in list(self._open):
            await conversation.end()
        self._server = None
