"""Where the server takes messages by their length, many mails are on their way on one connection at once.

RFC 3030 with RFC 2920: a whole mail is one piece without a question in between, and several leave in one writing. Each
is answered in its turn. Whoever comes behind another begins with RSET, so that no mail depends on another's fate.
"""

from typing import Any, Final

from kit.delivery.outcomes import PROVIDER_UNAVAILABLE, Accepted, Outcome, Unavailable
from services.email_sender.composing.mail import Mail
from services.email_sender.providers.smtp.dialogue import CLOSING
from services.email_sender.providers.smtp.session import UNANSWERED, Session
from services.email_sender.rules.replies import Reply, Step, outcome

DEEP: Final = 16
"""Mails on their way on one connection: where it breaks without a word, so many are unknown at most."""
MUCH: Final = 256 * 1024
"""Bytes that have not left yet, behind which nobody queues: large mails take connections of their own."""
QUICK: Final = 0.003
"""Seconds a relay takes for one mail, up to which more of them on one connection are better than more connections."""
TURNS: Final = 3
"""So often an answer waits for a turn of our own loop: when the mail leaves, when it arrives, and when it is read."""
SILENT: Final = 0.25
"""Seconds without an answer after which nobody else rides behind."""
STEPS: Final = (Step.MAIL, Step.RCPT, Step.DOT)
RSET: Final = "RSET\r\n"
GONE: Final = Unavailable(PROVIDER_UNAVAILABLE, "the mail server closed the connection")


class Chunked(Session):
    """Answers are exact here as well: what was refused, or stood behind a 421, or never left our own end is surely not
    sent; what left and was not answered is unknown."""

    most_mails = 1000
    """Who closes earlier costs nothing: no mail is the worse for it."""

    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        self._pace = 0.0
        """Seconds for one mail, the latest ones counting most."""
        self._heard_at = self.opened_at

    @property
    def has_room(self) -> bool:
        dialogue = self._dialogue
        return self._good and 0 < self._mails_here < DEEP and not dialogue.ended and dialogue.waiting < MUCH

    @property
    def quick(self) -> bool:
        return self._pace < QUICK

    @property
    def invites(self) -> bool:
        return self.quick and self.has_room and self._loop.time() - self._heard_at < SILENT

    async def _said(self, mail: Mail) -> Outcome | None:
        here, rides, begun = self._mails_here, self._mails_here > 1, self._loop.time()
        if not rides:
            self._heard_at = begun
        self._dialogue.write(self._piece(mail, rides=rides))
        end = self._dialogue.written
        not_the_first = self.mails > 1
        replies = await self._dialogue.replies(len(STEPS) + rides)
        self._heard_at = self._loop.time()
        took = max(self._heard_at - begun - TURNS * self._dialogue.lag, 0.0)
        self._pace += (took / here - self._pace) / DEEP
        return self._meaning(replies[rides:], end, movable=not_the_first)

    def _piece(self, mail: Mail, *, rides: bool) -> bytes:
        mail_from, rcpt_to, _ = self.commands(mail)
        length = f"BDAT {len(mail.message)} LAST\r\n"
        return f"{RSET if rides else ''}{mail_from}{rcpt_to}{length}".encode() + mail.message

    def _meaning(self, replies: list[Reply], end: int, *, movable: bool) -> Outcome | None:
        """Of what was answered to a mail that ended at byte `end`. `movable`: the connection had mails before it, and
        where it is surely not sent because that came to its end, None says that it goes elsewhere."""
        for step, reply in zip(STEPS, replies, strict=False):
            if 400 <= reply.code < 600:
                return None if movable and step is Step.MAIL and reply.code == CLOSING else outcome(step, reply)
        if len(replies) == len(STEPS) and 200 <= (last := replies[-1]).code < 300:
            return Accepted(detail=last.told)
        if self._dialogue.closing or self.surely_unsent(self._dialogue.written - end):
            return None if movable else GONE
        return UNANSWERED
