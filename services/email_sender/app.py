"""The email sender, put together: read it from top to bottom."""

import os
from collections.abc import Mapping
from typing import Final, NoReturn

from contracts.status import Channel
from contracts.topics import EMAIL_SENDER, EMAIL_SENDER_DIRECTORY, EMAIL_SENDER_RECEIPTS, due_lanes
from kit.bus.publisher import Publisher
from kit.bus.topics import TopicKeeper
from kit.control.controlled import controlled
from kit.delivery.delivering import Groups, delivering
from kit.delivery.forgetting import works
from kit.delivery.operating import trials
from kit.delivery.pace.limits import paces
from kit.delivery.policies import policies
from kit.delivery.sender import Setup
from kit.delivery.store.claims import BY_INDEX
from kit.postgres import Database
from kit.service import Parts, run
from kit.settings import GmailProvider, Settings, SettingsError, SmtpProvider, TenantSettings, need
from kit.settings.names import name_of
from kit.tracing import tracer_of
from services.email_sender.composing.mail import Author
from services.email_sender.composing.words import Unsafe
from services.email_sender.providers.smtp.opening import Relay
from services.email_sender.providers.smtp.provider import Smtp
from services.email_sender.returned.mail import ReturnedMail
from services.email_sender.rules.coming_back import meant_by
from services.email_sender.rules.return_address import BadReturnAddress, ReturnAddress
from services.email_sender.settings import CONNECTIONS, HANDS, IN_FLIGHT, LEASE_SECONDS, SPARE

NAME: Final = "email_sender"


def main() -> NoReturn:
    """`python -m services.email_sender`"""
    run(NAME, build)


async def build(settings: Settings) -> Parts:
    """All parts of one email sender in the order they start; several may run at once."""
    kafka, notifications, parts = settings.kafka, settings.notifications, Parts(NAME)
    tracer = parts.add("traces", tracer_of(NAME, os.environ))

    database = parts.add("pool", await Database.open(settings.database_url, NAME, size=CONNECTIONS, settings=BY_INDEX))
    parts.watch("postgresql", database.alive)
    parts.add("topics", TopicKeeper(kafka))
    publisher = parts.add("publisher", Publisher(kafka, NAME))

    returns = return_addresses(settings)
    setup = Setup(
        channel=Channel.EMAIL,
        service=NAME,
        lanes=due_lanes(Channel.EMAIL),
        providers=[
            parts.add(f"provider {one.name}", provider(one, notifications.email.tenants, returns))
            for one in settings.email_providers
        ],
        policies=policies(notifications.email),
        lease=LEASE_SECONDS,
        hands=max(HANDS, *(SPARE + (one.connections or 0) for one in settings.email_providers)),
        spare=SPARE,
        closed_because=None if notifications.enabled else "notifications_disabled",
        paces=paces(settings.email_providers, notifications.limits),
        time_zone=notifications.default_time_zone,
    )
    sender = delivering(
        parts,
        kafka,
        database,
        publisher,
        tracer,
        setup=setup,
        groups=Groups(EMAIL_SENDER, EMAIL_SENDER_DIRECTORY, EMAIL_SENDER_RECEIPTS),
        in_flight=IN_FLIGHT,
        meaning=meant_by,
    )
    if returns:
        port, setting = settings.ports.returned_mail, name_of(("ports", "returned_mail")) or ""
        addresses = list(returns.values())
        parts.add("returned_mail", ReturnedMail(addresses, publisher, settings.ports.host, port, setting))
    orders = works(database, parts.metrics) | trials(setup.providers)
    controlled(parts, kafka, database, publisher, orders, about=sender.about)
    return parts


def return_addresses(settings: Settings) -> Mapping[str, ReturnAddress]:
    """Of each provider that has any, by its name: Gmail puts its own in their place. Raises SettingsError."""
    found = {}
    for wanted in settings.email_providers:
        if wanted.bounce_address and not wanted.is_gmail:
            secret = need(settings.link_secret, "TOCSIN_LINK_SECRET")
            try:
                found[wanted.name] = ReturnAddress(wanted.bounce_address, secret)
            except BadReturnAddress as error:
                raise SettingsError([f"SMTP_BOUNCE_ADDRESS: {error}."]) from error
    return found


def provider(
    wanted: SmtpProvider | GmailProvider, tenants: Mapping[str, TenantSettings], returns: Mapping[str, ReturnAddress]
) -> Smtp:
    """The relay that the settings name. Raises SettingsError where a From or Reply-To is no address."""
    installation = wanted.from_email or wanted.username or ""
    author = _author("SMTP_FROM_EMAIL", installation)
    authors = {
        tenant: _author(f"notifications.email.tenants.{tenant}", own.from_email or installation, own.reply_to)
        for tenant, own in tenants.items()
    }
    password = wanted.password
    if isinstance(wanted, GmailProvider):
        password = wanted.password.replace(" ", "")  # shown in four groups of four letters, and copied so
    relay = Relay(wanted.host, wanted.port, wanted.security, wanted.username, password)
    return Smtp(
        wanted.name, relay, author, authors=authors, returns=returns.get(wanted.name), connections=wanted.connections
    )


def _author(place: str, text: str, reply_to: str | None = None) -> Author:
    try:
        return Author.of(text, reply_to)
    except Unsafe as error:
        raise SettingsError([f"{place}: {error}. Write it as name@example.org or Name <name@example.org>."]) from error
