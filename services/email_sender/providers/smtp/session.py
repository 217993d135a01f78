"""One mail behind the other on one connection; how each of them went is exact, or said to be unknown.

A second mail may ride behind the first: its envelope leaves in one piece with the first one's message, and both are
answered together (RFC 2920, 3.1: what follows a message may be sent with it).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kit.delivery.outcomes import PROVIDER_UNAVAILABLE, Accepted, Outcome, Refused, Unavailable, Unknown
from kit.delivery.rules import UNKNOWN_OUTCOME
from services.email_sender.composing.mail import Mail
from services.email_sender.providers.smtp.dialogue import CLOSING, Dialogue
from services.email_sender.rules.replies import Reply, Step, outcome

PATIENCE: Final = 5.0
"""Seconds that a mail rides behind one that is not answered; then it goes elsewhere, with most of its time left."""
UNANSWERED: Final = Unknown(UNKNOWN_OUTCOME, "no answer after the end of the message")
UNREAD: Final = Unavailable(PROVIDER_UNAVAILABLE, "the mail server did not read to the end of the message")
TOO_LATE: Final = Unavailable("sender_busy", "its time was over before it could be handed over")
ENVELOPE: Final = (Step.MAIL, Step.RCPT, Step.DATA)


@dataclass(frozen=True, slots=True)
class Offers:
    """What the server's EHLO offered."""

    pipelining: bool = False
    size: bool = False
    utf8: bool = False
    chunking: bool = False


class Session:
    """An open, authenticated connection. `good` is False from the first answer on that was not the hoped for one: a
    server that counts errors counts them per connection, and the next mail is not to pay for them."""

    most_mails = 100
    """On one connection: some relays want to see a new one from time to time."""

    def __init__(self, dialogue: Dialogue, offers: Offers, opened_at: float, *, patience: float = PATIENCE) -> None:
        self._loop = asyncio.get_running_loop()
        self._patience = patience
        self.opened_at = opened_at
        self.used_at = opened_at
        self.mails = 0
        self._dialogue = dialogue
        self._offers = offers
        self._good = True
        self._mails_here = 0
        self._message_to_come = False
        self._behind: tuple[bytes, asyncio.Future[bool]] | None = None

    @property
    def good(self) -> bool:
        """Fit for another mail, now that there is none."""
        return self._good and self._dialogue.quiet

    @property
    def has_room(self) -> bool:
        """One mail is on its way, and another may ride behind it."""
        return self._good and self._offers.pipelining and self._mails_here == 1 and not self._dialogue.ended

    @property
    def quick(self) -> bool:
        """To ride here is better than a connection of one's own, where there is room."""
        return False

    @property
    def invites(self) -> bool:
        """To ride here is better, and there is room now."""
        return False

    @property
    def empty(self) -> bool:
        return not self._mails_here

    def enter(self) -> None:
        """One more mail, which leaves when it was sent."""
        self._mails_here += 1
        self.mails += 1

    def leave(self) -> None:
        self._mails_here -= 1

    async def send(self, mail: Mail, deadline: float) -> Outcome | None:
        """Hands over one mail; answers by `deadline` (the loop's time) at the latest.

        Silence or a drop after the final dot is Unknown; everything before it is surely not sent. None: the mails
        before it on this connection ended the conversation (some relays take a few, and then say 421), so it was not
        sent, and is none the worse on another one.
        """
        if mail.utf8 and not self._offers.utf8:
            return Refused("message_refused", "the address has letters that this mail server cannot take (SMTPUTF8)")
        if self._loop.time() >= deadline:  # what leaves at once would be gone before the timer sees that
            return TOO_LATE
        timer = self._loop.call_at(deadline, self._dialogue.give_up)
        try:
            said = await self._said(mail)
        except BaseException:
            self._dialogue.give_up()
            raise
        finally:
            timer.cancel()
            self.used_at = self._loop.time()
        self._good = self._good and isinstance(said, Accepted)
        return said

    async def answers(self, deadline: float) -> bool:
        """Whether it still does, after some idleness."""
        timer = asyncio.get_running_loop().call_at(deadline, self._dialogue.give_up)
        try:
            self._dialogue.write(b"NOOP\r\n")
            replies = await self._dialogue.replies(1)
        finally:
            timer.cancel()
        return bool(replies) and replies[0].code == 250

    def close(self) -> None:
        """Without waiting for the server's goodbye."""
        self._dialogue.close()

    # ---------------------------------------------------------------------------------------------------- the envelope

    async def _said(self, mail: Mail) -> Outcome | None:
        rides, not_the_first = self._mails_here > 1, self.mails > 1
        commands = [command.encode() for command in self.commands(mail)]
        if rides:
            replies = await self._behind_another(commands)
        else:
            self._message_to_come = True
            replies = await self._asked(commands)
        over = not replies or replies[0].code == CLOSING or (rides and len(replies) < len(ENVELOPE))
        if not_the_first and over:
            self._turn_away()
            return None
        if refused := refusal(replies, ENVELOPE):
            self._turn_away()
            return refused
        return await self._message(mail)

    async def _behind_another(self, commands: Sequence[bytes]) -> list[Reply]:
        """The answers to an envelope that left with the message before it; too few where it is to go elsewhere. Who
        turns away leaves a connection on which nobody begins anything more."""
        try:
            async with asyncio.timeout(self._patience):
                if self._message_to_come:
                    return await self._taken_along(b"".join(commands))
                self._message_to_come = True
                return await self._asked(commands)
        except TimeoutError:
            return []

    async def _asked(self, commands: Sequence[bytes]) -> list[Reply]:
        """The answers up to the first that is not the hoped for one, or to all at once where the server can."""
        if self._offers.pipelining:
            self._dialogue.write(b"".join(commands))
            return await self._dialogue.replies(len(ENVELOPE))
        replies: list[Reply] = []
        for step, command in zip(ENVELOPE, commands, strict=True):
            self._dialogue.write(command)
            said = await self._dialogue.replies(1)
            replies += said
            if refusal(said, (step,)):
                break
        return replies

    async def _taken_along(self, commands: bytes) -> list[Reply]:
        """The answers, if the mail before us took these with its message."""
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._behind = commands, waiter
        return await self._dialogue.replies(len(ENVELOPE)) if await waiter else []

    def _turn_away(self) -> None:
        """There is no message to come; who would ride behind it goes elsewhere."""
        self._good = self._message_to_come = False
        behind, self._behind = self._behind, None
        if behind and not behind[1].done():
            behind[1].set_result(False)

    def commands(self, mail: Mail) -> tuple[str, str, str]:
        """Of the envelope."""
        size = f" SIZE={len(mail.message)}" if self._offers.size else ""
        utf8 = " SMTPUTF8" if mail.utf8 else ""
        return (
            f"MAIL FROM:<{mail.sender}>{size}{utf8}\r\n",
            f"RCPT TO:<{mail.recipient}>\r\n",
            "DATA\r\n",
        )

    # ----------------------------------------------------------------------------------------------------- the message

    async def _message(self, mail: Mail) -> Outcome:
        behind = self._write_message(mail.message.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        ours = self._dialogue.written - behind
        replies = await self._dialogue.replies(1)
        if replies and 200 <= (reply := replies[0]).code < 300:
            return Accepted(detail=reply.told)
        if replies and 400 <= reply.code < 600:
            return outcome(Step.DOT, reply)
        if self.surely_unsent(self._dialogue.written - ours):
            return UNREAD
        return UNANSWERED

    def _write_message(self, message: bytes) -> int:
        """With the envelope of who rides behind, which has so many bytes."""
        behind, self._behind = self._behind, None
        commands = behind[0] if behind and not behind[1].done() else b""
        self._message_to_come = bool(commands)
        self._dialogue.write(message + commands)
        if behind and commands:
            behind[1].set_result(True)
        return len(commands)

    def surely_unsent(self, after: int) -> bool:
        """Whether more was left in our own end than the `after` bytes that followed the message: TLS makes more of
        them, and where that might be all, nobody knows."""
        return self._dialogue.unsent > (2 * after + 256 if after else 0)


def refusal(replies: list[Reply], steps: tuple[Step, ...]) -> Outcome | None:
    """The first answer that was not the hoped for one; a later one only follows from it."""
    for step, reply in zip(steps, replies, strict=False):
        if 400 <= reply.code < 600:
            return outcome(step, reply)
        if reply.code // 100 != (3 if step is Step.DATA else 2):
            return Unavailable(PROVIDER_UNAVAILABLE, f"{step.name}: {reply.told}")
    if len(replies) < len(steps):
        return Unavailable(PROVIDER_UNAVAILABLE, f"no answer to {steps[len(replies)].name}")
    return None
