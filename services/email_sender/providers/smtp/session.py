"""One mail after the other on one connection; how each of them went is exact, or said to be unknown."""

import asyncio
from dataclasses import dataclass
from typing import Final

from kit.delivery.outcomes import Accepted, Outcome, Refused, Unavailable, Unknown
from kit.delivery.rules import UNKNOWN_OUTCOME
from services.email_sender.composing.mail import Mail
from services.email_sender.providers.smtp.dialogue import Dialogue
from services.email_sender.rules.replies import Reply, Step, outcome

ENVELOPE: Final = (Step.MAIL, Step.RCPT, Step.DATA)


@dataclass(frozen=True, slots=True)
class Offers:
    """What the server's EHLO offered."""

    pipelining: bool = False
    size: bool = False
    utf8: bool = False


class Session:
    """An open, authenticated connection. `good` is False from the first answer on that was not the hoped for one: a
    server that counts errors counts them per connection, and the next mail is not to pay for them."""

    def __init__(self, dialogue: Dialogue, offers: Offers, opened_at: float) -> None:
        self.opened_at = opened_at
        self.used_at = opened_at
        self.mails = 0
        self._dialogue = dialogue
        self._offers = offers
        self._good = True

    @property
    def good(self) -> bool:
        """Fit for another mail."""
        return self._good and self._dialogue.quiet

    async def send(self, mail: Mail, deadline: float) -> Outcome:
        """Hands over one mail; answers by `deadline` (the loop's time) at the latest.

        Silence or a drop after the final dot is Unknown; everything before it is surely not sent.
        """
        if mail.utf8 and not self._offers.utf8:
            return Refused("message_refused", "the address has letters that this mail server cannot take (SMTPUTF8)")
        loop = asyncio.get_running_loop()
        timer = loop.call_at(deadline, self._dialogue.give_up)
        self.mails += 1
        try:
            said = await self._envelope(mail) or await self._message(mail)
        except BaseException:
            self._dialogue.give_up()
            raise
        finally:
            timer.cancel()
            self.used_at = loop.time()
        self._good = isinstance(said, Accepted)
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

    async def _envelope(self, mail: Mail) -> Outcome | None:
        """None: the server waits for the message."""
        commands = self._commands(mail)
        if self._offers.pipelining:
            self._dialogue.write(b"".join(commands))
            return _refusal(await self._dialogue.replies(len(ENVELOPE)), ENVELOPE)
        for step, command in zip(ENVELOPE, commands, strict=True):
            self._dialogue.write(command)
            if refused := _refusal(await self._dialogue.replies(1), (step,)):
                return refused
        return None

    def _commands(self, mail: Mail) -> tuple[bytes, bytes, bytes]:
        size = f" SIZE={len(mail.message)}" if self._offers.size else ""
        utf8 = " SMTPUTF8" if mail.utf8 else ""
        return (
            f"MAIL FROM:<{mail.sender}>{size}{utf8}\r\n".encode(),
            f"RCPT TO:<{mail.recipient}>\r\n".encode(),
            b"DATA\r\n",
        )

    # ----------------------------------------------------------------------------------------------------- the message

    async def _message(self, mail: Mail) -> Outcome:
        self._dialogue.write(mail.message.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        replies = await self._dialogue.replies(1)
        if replies and 200 <= (reply := replies[0]).code < 300:
            return Accepted(detail=reply.told)
        if replies and 400 <= reply.code < 600:
            return outcome(Step.DOT, reply)
        if self._dialogue.unsent:
            return Unavailable("provider_unavailable", "the mail server did not read to the end of the message")
        return Unknown(UNKNOWN_OUTCOME, "no answer after the end of the message")


def _refusal(replies: list[Reply], steps: tuple[Step, ...]) -> Outcome | None:
    """The first answer that was not the hoped for one; a later one only follows from it."""
    for step, reply in zip(steps, replies, strict=False):
        if 400 <= reply.code < 600:
            return outcome(step, reply)
        if reply.code // 100 != (3 if step is Step.DATA else 2):
            return Unavailable("provider_unavailable", f"{step.name}: {reply.told}")
    if len(replies) < len(steps):
        return Unavailable("provider_unavailable", f"no answer to {steps[len(replies)].name}")
    return None
