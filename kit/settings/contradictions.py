"""What is well formed and still cannot work."""

import re
from collections import Counter
from typing import Final

from contracts import addresses
from contracts.wording import NAME
from kit.hours import span
from kit.settings.connections import through_to_kafka, through_to_the_database
from kit.settings.tree import Settings

SHORTEST_SECRET: Final = 32
LONGEST_NAME: Final = 64


def contradictions(settings: Settings) -> list[str]:
    """A sentence for each pair of settings that exclude each other, and for each that misses its other half."""
    return [
        *_tokens(settings),
        *_relay(settings),
        *_twilio(settings),
        *_aws(settings),
        *_same_names(settings),
        *_hours(settings),
        *_digests(settings),
        *_alerts(settings),
        *through_to_kafka(settings),
        *through_to_the_database(settings),
    ]


def _tokens(settings: Settings) -> list[str]:
    problems = []
    if settings.jwt.secret and settings.jwt.jwks_url:
        problems.append("JWT_SECRET and JWT_JWKS_URL are both set. Keep the one your tokens are signed with.")
    if settings.gateway.demo and settings.jwt.jwks_url:
        problems.append("GATEWAY_DEMO is on, but tokens are signed elsewhere (JWT_JWKS_URL). Turn it off.")
    for name, secret in (("JWT_SECRET", settings.jwt.secret), ("TOCSIN_LINK_SECRET", settings.link_secret)):
        if secret and len(secret) < SHORTEST_SECRET:
            problems.append(f"{name} has fewer than {SHORTEST_SECRET} characters and can be guessed. Set a longer one.")
    return problems


def _relay(settings: Settings) -> list[str]:
    problems = []
    email, smtp = settings.notifications.email, settings.smtp
    if not smtp.from_email:
        problems.append("SMTP_HOST is set but SMTP_FROM_EMAIL is not. Set the address that mails come from.")
    if email.provider == "gmail" and not email.providers and not (smtp.username and smtp.password):
        problems.append(
            "notifications.email.provider is gmail, which needs SMTP_USERNAME and SMTP_PASSWORD "
            "(an application password). Set both."
        )
    return problems


def _twilio(settings: Settings) -> list[str]:
    sms, twilio = settings.notifications.sms, settings.twilio
    if sms.provider != "twilio" or sms.providers:
        return []
    account = {
        "TWILIO_ACCOUNT_SID": twilio.account_sid,
        "TWILIO_AUTH_TOKEN": twilio.auth_token,
        "TWILIO_FROM": twilio.sender,
    }
    return [f"SMS_PROVIDER is twilio, but {name} is not set. Set it." for name, value in account.items() if not value]


def _aws(settings: Settings) -> list[str]:
    aws = settings.aws
    keys = {"AWS_ACCESS_KEY_ID": aws.access_key_id, "AWS_SECRET_ACCESS_KEY": aws.secret_access_key}
    if settings.sms.provider != "aws_sns" or len(missing := [name for name, value in keys.items() if not value]) != 1:
        return []
    return [f"SMS_PROVIDER is aws_sns with one half of a key: set {missing[0]} too, or none of both."]


def _same_names(settings: Settings) -> list[str]:
    notifications = settings.notifications
    return [
        f"notifications.{channel}.providers: {count} are named {name}. Give each a name of its own."
        for channel, providers in (("email", notifications.email.providers), ("sms", notifications.sms.providers))
        for name, count in Counter(provider.name for provider in providers).items()
        if count > 1
    ]


def _hours(settings: Settings) -> list[str]:
    problems = []
    for channel, hours in settings.notifications.hours.items():
        try:
            span(hours.start, hours.end, hours.days)
        except ValueError as error:
            problems.append(f"notifications.hours.{channel}: {error}.")
    return problems


def _digests(settings: Settings) -> list[str]:
    return [
        f"notifications.digests.{category}: give either every_seconds or at, and not both."
        for category, digest in settings.notifications.digests.items()
        if (digest.every_seconds is None) == (digest.at is None)
    ]


def _alerts(settings: Settings) -> list[str]:
    problems = []
    for recipient in settings.notifications.alerts.recipients:
        try:
            _check_recipient(settings, recipient)
        except ValueError as error:
            problems.append(f"notifications.alerts.recipients: {recipient} {error}.")
    return problems


def _check_recipient(settings: Settings, recipient: str) -> None:
    """Raises ValueError for who cannot be told of an alert."""
    channels = settings.notifications
    if "@" in recipient:
        addresses.email(recipient)
        if not channels.email.enabled:
            raise ValueError("is an email address, but notifications.email.enabled is false")
    elif recipient.startswith("+"):
        addresses.check_country(addresses.phone(recipient), channels.sms.countries)
        if not channels.sms.enabled:
            raise ValueError("is a number, but notifications.sms.enabled is false")
    elif len(recipient) > LONGEST_NAME or not re.match(NAME, recipient):
        raise ValueError("is no user id, email address or number that begins with +")
