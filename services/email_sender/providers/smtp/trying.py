"""Is the relay there, is it private, does it know us, may we send as whom we say? Step by step; nothing is sent."""

import asyncio
import ssl
from typing import Final

from aiosmtplib import SMTP
from aiosmtplib.errors import SMTPException, SMTPResponseException

from kit.delivery.outcomes import plain
from kit.delivery.trial import Check, Trial
from services.email_sender.providers.smtp.opening import Relay, greeted, new_client
from services.email_sender.rules.replies import Meaning, Reply, Step, meaning

CONNECTION, TLS, LOGIN, SENDER = "connection", "tls", "login", "sender"
OURS: Final = frozenset({Meaning.MESSAGE, Meaning.CONFIGURATION, Meaning.QUOTA})
"""At RCPT: what is said about the one who sends. That the author's own mailbox does not exist is no matter."""


async def tried(relay: Relay, tls: ssl.SSLContext | None, author: str, seconds: float) -> Trial:
    """What came of each step, up to the first that failed."""
    client = new_client(relay, tls, opens=False)
    trial = _Trying(client, relay, author)
    try:
        async with asyncio.timeout(seconds):
            await trial.run()
    except ssl.SSLError as error:
        trial.failed(TLS, _about_tls(error))
    except TimeoutError:
        trial.failed(trial.step, f"no answer within {seconds:g} s")
    except SMTPResponseException as error:
        trial.failed(trial.step, Reply.of(error.code, error.message).told)
    except (SMTPException, OSError, ValueError) as error:
        private = isinstance(error.__cause__ or error.__context__, ssl.SSLError) or "STARTTLS" in str(error)
        trial.failed(TLS if private else trial.step, plain(str(error)) or type(error).__name__)
    finally:
        client.close()
    return Trial(trial.checks)


class _Trying:
    """The conversation; `step` is where it is."""

    def __init__(self, client: SMTP, relay: Relay, author: str) -> None:
        self.checks: list[Check] = []
        self.step = CONNECTION
        self._client = client
        self._relay = relay
        self._author = author

    async def run(self) -> None:
        relay, client = self._relay, self._client
        await client.connect()
        await greeted(client)
        self._done(f"{relay.host}:{relay.port}", then=TLS)
        if relay.security == "starttls":
            await client.starttls()
            await greeted(client)
        self._done(self._privacy(), then=LOGIN)
        if relay.username:
            await client.login(relay.username, relay.password or "")
        self._done(f"as {relay.username}" if relay.username else "none asked for", then=SENDER)
        await self._ask_for_the_sender()

    def failed(self, step: str, detail: str) -> None:
        self.checks.append(Check(step, False, detail))

    def _done(self, detail: str, *, then: str) -> None:
        self.checks.append(Check(self.step, True, detail))
        self.step = then

    def _privacy(self) -> str:
        transport = self._client.transport
        session = transport.get_extra_info("ssl_object") if transport else None
        return session.version() or "TLS" if session else "none, as the settings say"

    async def _ask_for_the_sender(self) -> None:
        """Many relays say what they think of a sender only once they hear a recipient: here, himself."""
        for step, command in ((Step.MAIL, "MAIL FROM"), (Step.RCPT, "RCPT TO")):
            code, text = await self._client.execute_command(f"{command}:<{self._author}>".encode())
            reply = Reply.of(code, text)
            if code >= 400 and (step is Step.MAIL or meaning(step, reply) in OURS):
                self.failed(SENDER, f"{self._author}: {reply.told}")
                return
        self._done(self._author, then=SENDER)
        await self._client.rset()


def _about_tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted here: {plain(error.verify_message)}"
    return plain(error.reason or str(error))
