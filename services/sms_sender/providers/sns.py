"""Text messages by AWS SNS. No key makes a repeat harmless there: a lost answer is a fate unknown."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from aiohttp import ClientConnectorError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ProxyConnectionError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from contracts.status import Lane
from kit.delivery.outcomes import PROVIDER_UNAVAILABLE, Accepted, Halted, Outcome, Unavailable, Unknown, plain
from kit.delivery.provider import Parcel
from kit.delivery.rules import UNKNOWN_OUTCOME
from kit.delivery.trial import Trial
from services.sms_sender.providers.sns_trying import named, tried
from services.sms_sender.rules.meanings import seconds_of, unnumbered
from services.sms_sender.rules.segments import segments
from services.sms_sender.rules.sns import outcome

TIMEOUT: Final = 10.0
"""Seconds for one message in all; a third of them at most to find or renew credentials."""
CONNECTIONS: Final = 64
"""At a time, and so many more as the settings say: urgent messages need some, too."""

NOT_AWS: Final = Unknown(UNKNOWN_OUTCOME, "an answer that is not AWS's")

# Raised before the request was on its way, and so surely not sent.
_NOT_BEGUN: Final = (ConnectTimeoutError, ProxyConnectionError, SSLError)


@dataclass(frozen=True, slots=True)
class Account:
    """Who sends. What is None the AWS library looks for by itself: environment, profile, role of the machine.

    `sender_id` is the name shown as sender, `max_price` what one message may cost in US dollars.
    """

    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    endpoint: str | None = None
    sender_id: str | None = None
    max_price: float | None = None


class Sns:
    """The provider `aws_sns`. It knows of no single message what became of it later: there are no receipts."""

    def __init__(
        self, name: str, account: Account, *, timeout: float = TIMEOUT, connections: int | None = None
    ) -> None:
        self.name = name
        self._connections = CONNECTIONS + (connections or 0)
        self.timeout = timeout
        self._account = account
        self._session = get_session()
        self._open = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._client: Any = None

    @property
    def region(self) -> str | None:
        """Where messages are handed over, or None where neither the settings nor AWS's own say it."""
        return self._account.region or self._session.get_config_variable("region")

    async def hand_over(self, parcel: Parcel) -> Outcome:
        try:
            async with asyncio.timeout(self.timeout / 3):
                client = await self._ready()
        except Exception as error:  # whatever it is, no message was under way
            return Halted("provider_configuration", f"no AWS credentials: {named(error)}", alarming=True)
        try:
            async with asyncio.timeout(self.timeout * 2 / 3):
                return _taken(await client.publish(**self._message(parcel)), parcel)
        except ClientError as refusal:
            return _refused(refusal, parcel)
        except ResponseParserError:
            return NOT_AWS
        except (BotoCoreError, TimeoutError) as error:
            return _lost(error)

    async def tried(self, seconds: float) -> Trial:
        """Whether AWS is there, knows us, and lets us send to everybody."""
        return await tried(self._ready, self._account.sender_id, seconds)

    async def close(self) -> None:
        await self._open.aclose()

    async def _ready(self) -> Any:
        """The client, once there are credentials; those that are about to expire are renewed before a message is
        under way. Raises what AWS's library does where there are none."""
        if self._account.access_key_id is None:
            credentials = await self._session.get_credentials()
            if credentials is None:
                raise NoCredentialsError
            await credentials.get_frozen_credentials()
        async with self._opening:
            if self._client is None:
                self._client = await self._open.enter_async_context(self._new_client())
        return self._client

    def _new_client(self) -> Any:
        """It tries nothing again by itself: whether a message may go twice is not for a library to say."""
        account, wait = self._account, self.timeout * 2 / 3
        return self._session.create_client(
            "sns",
            region_name=self.region,
            endpoint_url=account.endpoint,
            aws_access_key_id=account.access_key_id,
            aws_secret_access_key=account.secret_access_key,
            aws_session_token=account.session_token,
            config=AioConfig(
                retries={"total_max_attempts": 1},
                connect_timeout=wait / 2,
                read_timeout=wait,
                max_pool_connections=self._connections,
            ),
        )

    def _message(self, parcel: Parcel) -> dict[str, Any]:
        """What is wanted at once or for somebody alone is transactional, which AWS delivers before the rest."""
        kind = "Promotional" if parcel.due.lane is Lane.BULK else "Transactional"
        attributes = {"AWS.SNS.SMS.SMSType": _text(kind)}
        if self._account.sender_id:
            attributes["AWS.SNS.SMS.SenderID"] = _text(self._account.sender_id)
        if self._account.max_price is not None:
            attributes["AWS.SNS.SMS.MaxPrice"] = _number(self._account.max_price)
        return {"PhoneNumber": parcel.to, "Message": parcel.content.text or "", "MessageAttributes": attributes}


def _text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def _number(value: float) -> dict[str, str]:
    return {"DataType": "Number", "StringValue": f"{value:.5f}"}


def _taken(answer: dict[str, Any], parcel: Parcel) -> Outcome:
    id = answer.get("MessageId")
    if not isinstance(id, str):
        return NOT_AWS
    parts = segments(parcel.content.text or "")
    return Accepted(plain(id), segments=parts.count, encoding=parts.encoding)


def _refused(refusal: ClientError, parcel: Parcel) -> Outcome:
    error, about = refusal.response.get("Error", {}), refusal.response.get("ResponseMetadata", {})
    return outcome(
        int(about.get("HTTPStatusCode", 0)),
        str(error.get("Code", "")),
        unnumbered(str(error.get("Message", "")), parcel.to),
        seconds_of(str(about.get("HTTPHeaders", {}).get("retry-after", ""))),
    )


def _lost(error: BotoCoreError | TimeoutError) -> Outcome:
    """The library calls every broken connection one that could not be made; what it wraps tells which it was."""
    wrapped = error.kwargs.get("error") if isinstance(error, EndpointConnectionError) else None
    if isinstance(error, _NOT_BEGUN) or isinstance(wrapped, ClientConnectorError):
        return Unavailable(PROVIDER_UNAVAILABLE, f"no connection to AWS SNS: {type(wrapped or error).__name__}")
    return Unknown(UNKNOWN_OUTCOME, "no answer from AWS SNS")
