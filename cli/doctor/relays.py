"""Can each provider be reached from here, does it know us, may we send as we say? Nothing is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Final, Protocol

from cli.doctor.finding import Finding, skipped, trouble, well
from kit.delivery.trial import Check, Triable
from kit.settings import GmailProvider, Settings, SettingsError, SmtpProvider

SECONDS: Final = 8.0
GUIDE: Final = "docs/gmail.md"

SMTP_REMEDIES: Final = {
    "connection": "look at SMTP_HOST and SMTP_PORT, and whether a firewall lets mail out (many block 25 and 587)",
    "tls": "look at SMTP_SECURITY (starttls for 587, tls for 465), and whether the relay's certificate is trusted here",
    "login": "look at SMTP_USERNAME and SMTP_PASSWORD; some relays want an application password",
    "sender": "SMTP_FROM_EMAIL must be an address that this account may send as",
}
GMAIL_LOGIN: Final = (
    "Gmail takes no account password here: switch on 2-step verification, make an app password, and set SMTP_PASSWORD "
    f"to its 16 letters ({GUIDE})"
)
CATCHER: Final = "`tocsin up` starts the mail catcher; its log is logs/mail.log"
SMS_REMEDY: Final = "look at the account's settings (TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, TWILIO_FROM, AWS_...)"


class Closable(Protocol):
    """What holds connections."""

    async def close(self) -> None: ...


async def relays(settings: Settings) -> list[Finding]:
    """Each provider of the settings, one finding each, side by side."""
    told = settings.notifications
    looks = [_email(settings, one) for one in settings.email_providers if told.email.enabled]
    looks += [_sms(settings, one) for one in settings.sms_providers if told.sms.enabled]
    return list(await asyncio.gather(*looks))


def names(settings: Settings) -> tuple[str, ...]:
    """Their checks: `email smtp`, `sms console`."""
    email = (f"email {one.name}" for one in settings.email_providers)
    return (*email, *(f"sms {one.name}" for one in settings.sms_providers))


async def _email(settings: Settings, told: SmtpProvider | GmailProvider) -> Finding:
    def made() -> Closable:
        from services.email_sender.app import provider, return_addresses

        return provider(told, settings.notifications.email.tenants, return_addresses(settings))

    caught = "mail" in settings.embedded
    return await _tried("email", told.name, made, lambda wrong: CATCHER if caught else _mail_remedy(told, wrong))


async def _sms(settings: Settings, told: Any) -> Finding:
    def made() -> Closable:
        from services.sms_sender.app import provider

        return provider(told, settings)

    return await _tried("sms", told.name, made, lambda _: SMS_REMEDY)


async def _tried(channel: str, name: str, made: Callable[[], Closable], remedy: Callable[[Check], str]) -> Finding:
    """With the provider that the sender itself would have; an image of another service has none."""
    check = f"{channel} {name}"
    if find_spec(f"services.{channel}_sender") is None:
        return skipped(check, f"its sender is not installed here: `tocsin providers test {name}` asks it")
    try:
        provider = made()
    except SettingsError as error:
        return trouble(check, error.problems[0], "mend that setting")
    try:
        if not isinstance(provider, Triable):
            return skipped(check, "it cannot be tried out without sending something")
        trial = await provider.tried(SECONDS)
    finally:
        await provider.close()
    wrong = next((one for one in trial.checks if not one.ok), None)
    return trouble(check, trial.detail, remedy(wrong)) if wrong else well(check, trial.detail)


def _mail_remedy(told: SmtpProvider | GmailProvider, wrong: Check) -> str:
    """Gmail's refusals have one usual reason, and a page."""
    if wrong.name == "login" and told.is_gmail:
        return GMAIL_LOGIN
    return SMTP_REMEDIES.get(wrong.name, SMTP_REMEDIES["connection"])
