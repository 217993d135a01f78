"""The SMS sender, put together: read it from top to bottom."""

import os
from typing import TYPE_CHECKING, Final, NoReturn

from contracts.status import Channel
from contracts.topics import SMS_SENDER, SMS_SENDER_DIRECTORY, SMS_SENDER_RECEIPTS, due_lanes
from kit.bus.publisher import Publisher
from kit.bus.topics import TopicKeeper
from kit.control.controlled import controlled
from kit.delivery.delivering import Groups, delivering
from kit.delivery.forgetting import works
from kit.delivery.operating import trials
from kit.delivery.pace.limits import paces
from kit.delivery.policies import policies
from kit.delivery.sender import Setup
from kit.delivery.simulator import Simulator
from kit.delivery.store.claims import BY_INDEX
from kit.postgres import Database
from kit.service import Parts, run
from kit.settings import ConsoleProvider, Settings, SnsProvider, TwilioProvider
from kit.tracing import tracer_of
from services.sms_sender.providers.aws import opened
from services.sms_sender.providers.console import Console
from services.sms_sender.providers.twilio import Account, Twilio
from services.sms_sender.rules.segments import measure, parts_of
from services.sms_sender.rules.twilio import meant_by
from services.sms_sender.settings import CONNECTIONS, HANDS, IN_FLIGHT, LEASE_SECONDS, SPARE

if TYPE_CHECKING:
    from services.sms_sender.providers.sns import Sns

NAME: Final = "sms_sender"


def main() -> NoReturn:
    """`python -m services.sms_sender`"""
    run(NAME, build)


async def build(settings: Settings) -> Parts:
    """All parts of one SMS sender in the order they start; several may run at once."""
    kafka, notifications, parts = settings.kafka, settings.notifications, Parts(NAME)
    tracer = parts.add("traces", tracer_of(NAME, os.environ))

    database = parts.add("pool", await Database.open(settings.database_url, NAME, size=CONNECTIONS, settings=BY_INDEX))
    parts.watch("postgresql", database.alive)
    parts.add("topics", TopicKeeper(kafka))
    publisher = parts.add("publisher", Publisher(kafka, NAME))

    setup = Setup(
        channel=Channel.SMS,
        service=NAME,
        lanes=due_lanes(Channel.SMS),
        providers=[parts.add(f"provider {one.name}", provider(one, settings)) for one in settings.sms_providers],
        policies=policies(notifications.sms),
        lease=LEASE_SECONDS,
        hands=max(HANDS, *(SPARE + (one.connections or 0) for one in settings.sms_providers)),
        spare=SPARE,
        closed_because=None if notifications.enabled else "notifications_disabled",
        simulator=Simulator(measure),
        paces=paces(settings.sms_providers, notifications.limits),
        parts_of=parts_of,
        time_zone=notifications.default_time_zone,
    )
    sender = delivering(
        parts,
        kafka,
        database,
        publisher,
        tracer,
        setup=setup,
        groups=Groups(SMS_SENDER, SMS_SENDER_DIRECTORY, SMS_SENDER_RECEIPTS),
        in_flight=IN_FLIGHT,
        meaning=meant_by,
    )
    orders = works(database, parts.metrics) | trials(setup.providers)
    controlled(parts, kafka, database, publisher, orders, about=sender.about)
    return parts


def provider(wanted: ConsoleProvider | TwilioProvider | SnsProvider, settings: Settings) -> "Console | Twilio | Sns":
    """A provider that the settings name. Raises SettingsError for one that cannot work here."""
    match wanted:
        case ConsoleProvider(name=name):
            return Console(name, settings.logs_dir)
        case TwilioProvider():
            account = Account(wanted.account_sid, wanted.auth_token, wanted.sender, wanted.api_base)
            return Twilio(wanted.name, account, settings.public_url, connections=wanted.connections)
        case SnsProvider():
            return opened(wanted)
