"""Is AWS SNS there, does it know us, may we send to everybody? Step by step; nothing is sent."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from kit.delivery.outcomes import plain
from kit.delivery.trial import Check, Trial

CONNECTION, LOGIN, SENDER = "connection", "login", "sender"
MAY_NOT_ASK: Final = frozenset({"AuthorizationError", "AccessDenied", "AccessDeniedException", "NotAuthorized"})
"""Said to somebody who is known: a policy that allows sns:Publish alone is enough to send."""
SANDBOX: Final = "the account is in AWS's SMS sandbox: only numbers that are verified there get messages"


async def tried(ready: Callable[[], Awaitable[Any]], sender: str | None, seconds: float) -> Trial:
    """What came of each step, up to the first that failed; `ready` gives the client once there are credentials."""
    checks: list[Check] = []
    try:
        async with asyncio.timeout(seconds):
            await _ask(ready, sender, checks)
    except (BotoCoreError, ResponseParserError, TimeoutError) as error:
        checks.append(Check(CONNECTION, False, f"no answer from AWS SNS: {named(error)}"))
    return Trial(checks)


async def _ask(ready: Callable[[], Awaitable[Any]], sender: str | None, checks: list[Check]) -> None:
    try:
        client = await ready()
    except Exception as error:  # whatever it is, there is nobody to ask as
        checks.append(Check(LOGIN, False, f"no AWS credentials: {named(error)}"))
        return
    refusal = await _refusal(client.get_sms_attributes())
    checks.append(Check(CONNECTION, True, client.meta.endpoint_url))
    if refusal and named(refusal) not in MAY_NOT_ASK:
        checks.append(Check(LOGIN, False, _told(refusal)))
        return
    checks.append(Check(LOGIN, True, "known to AWS" if refusal is None else f"known to AWS ({named(refusal)})"))
    checks.append(await _sender_check(client, sender or "as AWS chooses"))


async def _sender_check(client: Any, sender: str) -> Check:
    """Who may not ask for the account's state is not told it; what stands in for AWS often knows none."""
    try:
        told = await client.get_sms_sandbox_account_status()
    except (ClientError, ResponseParserError) as refusal:
        return Check(SENDER, True, f"{sender} (not asked for: {named(refusal)})")
    sandboxed = bool(told.get("IsInSandbox"))
    return Check(SENDER, not sandboxed, SANDBOX if sandboxed else sender)


async def _refusal(asked: Awaitable[Any]) -> ClientError | None:
    try:
        await asked
    except ClientError as refusal:
        return refusal
    return None


def named(error: Exception) -> str:
    """What went wrong, in a word: AWS's own, where it answered."""
    code = error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None
    return plain(str(code or type(error).__name__))


def _told(refusal: ClientError) -> str:
    return plain(f"{named(refusal)} {refusal.response.get('Error', {}).get('Message', '')}".strip())
