"""Text messages by Twilio's Messages API. No key makes a repeat harmless there: a lost answer is a fate unknown."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import httpx
from pydantic_core import from_json

from kit.delivery.outcomes import PROVIDER_UNAVAILABLE, Accepted, Outcome, Unavailable, Unknown, plain
from kit.delivery.provider import Answer, Parcel
from kit.delivery.rules import UNKNOWN_OUTCOME
from kit.delivery.trial import Check, Trial
from services.sms_sender.rules.meanings import seconds_of, unnumbered
from services.sms_sender.rules.segments import segments
from services.sms_sender.rules.twilio import outcome

TIMEOUT: Final = 10.0
"""Seconds for one message in all, connection included."""
CALLBACKS: Final = "/v1/callbacks/twilio"
SERVICE_PREFIX: Final = "MG"

ASK_AFTER: Final = (600.0, 1800.0, 7200.0, 14_400.0, 43_200.0)
"""Where Twilio calls back: what it has not told in ten minutes is asked for. It tries no message for longer than ten
hours."""
ASK_SOON: Final = (15.0, 45.0, 240.0, *ASK_AFTER)
"""Where it cannot call back, asking is the only way to know."""
ASKS_PER_SECOND: Final = 10
CONNECTIONS: Final = 64
"""Kept open for the next message, where the settings do not ask for more. How many are needed at a time is not for the
client to say: a message that waited for one would have waited in vain."""

# Raised before the request was on its way, and so surely not sent; the client itself tries nothing twice.
_NOT_BEGUN: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


@dataclass(frozen=True, slots=True)
class Account:
    """Who sends: `sender` is a number, a sender name or a messaging service (MG...)."""

    sid: str
    token: str
    sender: str
    base: str


class Twilio:
    """The provider `twilio`. `public_url` is where Twilio can call back; the address of this machine alone is none."""

    def __init__(
        self,
        name: str,
        account: Account,
        public_url: str,
        *,
        timeout: float = TIMEOUT,
        connections: int | None = None,
    ) -> None:
        self.name = name
        self.timeout = timeout
        self._account = account
        self._callbacks = None if _is_only_here(public_url) else public_url.rstrip("/") + CALLBACKS
        self.ask_after: Sequence[float] = ASK_AFTER if self._callbacks else ASK_SOON
        self.asks_per_second = ASKS_PER_SECOND
        self._http = httpx.AsyncClient(
            auth=(account.sid, account.token),
            timeout=httpx.Timeout(None, connect=timeout / 2, pool=timeout / 2),
            limits=httpx.Limits(max_keepalive_connections=max(connections or 0, CONNECTIONS)),
        )
        self._home = f"{account.base.rstrip('/')}/2010-04-01/Accounts/{account.sid}"
        self._url = f"{self._home}/Messages"

    async def hand_over(self, parcel: Parcel) -> Outcome:
        try:
            async with asyncio.timeout(self.timeout):
                answer = await self._http.post(f"{self._url}.json", data=self._form(parcel))
        except _NOT_BEGUN as error:
            return Unavailable(PROVIDER_UNAVAILABLE, f"no connection to Twilio: {type(error).__name__}")
        except (httpx.HTTPError, TimeoutError):
            return Unknown(UNKNOWN_OUTCOME, "no answer from Twilio")
        return _taken(answer, parcel) if answer.is_success else _refused(answer, parcel)

    async def became(self, provider_id: str) -> Answer | None:
        """What it says now of a message of that sid, in the words of its callbacks; None where it does not answer."""
        try:
            async with asyncio.timeout(self.timeout):
                answer = await self._http.get(f"{self._url}/{quote(provider_id, safe='')}.json")
        except (httpx.HTTPError, TimeoutError):
            return None
        told = _json(answer)
        if not answer.is_success or not isinstance(status := told.get("status"), str):
            return None
        return Answer(status, str(code) if (code := told.get("error_code")) else None)

    async def tried(self, seconds: float) -> Trial:
        """Whether Twilio is there, knows the account, and has the number that messages come from."""
        checks: list[Check] = []
        try:
            async with asyncio.timeout(seconds):
                async for check in self._checks():
                    checks.append(check)
        except (httpx.HTTPError, TimeoutError) as error:
            checks.append(Check("connection", False, f"no answer from {self._account.base}: {type(error).__name__}"))
        return Trial(checks)

    async def _checks(self) -> AsyncIterator[Check]:
        account = await self._http.get(f"{self._home}.json")
        yield Check("connection", True, self._account.base)
        status = _json(account).get("status")
        if not account.is_success or status != "active":
            yield Check("login", False, _told(account) if not account.is_success else f"the account is {status}")
            return
        yield Check("login", True, f"account {self._account.sid}")
        yield await self._sender_check()

    async def _sender_check(self) -> Check:
        """Services and sender names are known elsewhere; a number must be the account's own."""
        sender = self._account.sender
        if not sender.startswith("+"):
            return Check("sender", True, f"{sender} (not asked for: it is no number)")
        found = await self._http.get(f"{self._home}/IncomingPhoneNumbers.json", params={"PhoneNumber": sender})
        if not found.is_success:
            return Check("sender", False, _told(found))
        known = bool(_json(found).get("incoming_phone_numbers"))
        return Check("sender", known, sender if known else f"{sender} is no number of this account")

    async def close(self) -> None:
        await self._http.aclose()

    def _form(self, parcel: Parcel) -> dict[str, str]:
        sender = self._account.sender
        by = "MessagingServiceSid" if sender.startswith(SERVICE_PREFIX) and len(sender) == 34 else "From"
        form = {"To": parcel.to, "Body": parcel.content.text or "", by: sender}
        return form | ({"StatusCallback": self._callback(parcel)} if self._callbacks else {})

    def _callback(self, parcel: Parcel) -> str:
        """Twilio signs this address: what is said of a message is said of its id and try, and of no other."""
        due = parcel.due
        about = {"tenant": due.tenant, "id": due.id, "try": parcel.try_, "provider": self.name}
        return f"{self._callbacks}?{urlencode(about)}"


def _taken(answer: httpx.Response, parcel: Parcel) -> Outcome:
    told = _json(answer)
    if not isinstance(told.get("sid"), str):
        return Unknown(UNKNOWN_OUTCOME, f"an answer that is not Twilio's: {answer.status_code}")
    parts = segments(parcel.content.text or "")
    return Accepted(plain(told["sid"]), segments=parts.count, encoding=parts.encoding)


def _refused(answer: httpx.Response, parcel: Parcel) -> Outcome:
    told = _json(answer)
    code, text = told.get("code"), told.get("message")
    return outcome(
        answer.status_code,
        code if isinstance(code, int) else None,
        unnumbered(text, parcel.to) if isinstance(text, str) else answer.reason_phrase,
        seconds_of(answer.headers.get("retry-after", "")),
    )


def _told(answer: httpx.Response) -> str:
    told = _json(answer)
    return plain(f"{told.get('code', answer.status_code)} {told.get('message', answer.reason_phrase)}")


def _json(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        told = from_json(answer.content)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _is_only_here(url: str) -> bool:
    """Twilio refuses such an address, and the message with it."""
    host = urlsplit(url).hostname or "localhost"
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
