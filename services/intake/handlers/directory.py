"""The directory's topics, written down: people, and of the settings what intake judges by."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from contracts import events as e
from contracts.topics import PREFERENCES, RECIPIENTS
from kit.bus.record import Outgoing
from kit.postgres import Connection
from kit.stage import Message
from services.intake.rules.facts import Person, Tenanted
from services.intake.store import directory
from services.intake.store.directory import As, ObjectKey

KEPT = ("template", "suppression")
"""The settings that concern intake; the others are passed over."""

K = TypeVar("K", Tenanted, ObjectKey)
V = TypeVar("V")


async def project(connection: Connection, messages: Sequence[Message]) -> list[Outgoing]:
    """The handler of `directory.*`: the newest state of each object, if it is newer than the one that is here."""
    people = _latest(_person(message) for message in messages if _is_person(message))
    objects = _latest(found for message in messages if (found := _object(message)))
    if people:
        await directory.put_people(connection, people)
    if objects:
        await directory.put_objects(connection, objects)
    return []


def _is_person(message: Message) -> bool:
    return message.received.topic == RECIPIENTS.name and isinstance(message.event, e.Recipient | e.Tombstone)


def _person(message: Message) -> tuple[Tenanted, Person | None, As]:
    event = message.event
    at = message.received.as_of, message.received.offset
    if isinstance(event, e.Recipient):
        person = Person(event.email, event.phone, event.locale, event.time_zone)
        return (event.tenant, event.user_id), person, at
    assert isinstance(event, e.Tombstone)
    return (event.tenant, event.path), None, at


def _object(message: Message) -> tuple[ObjectKey, Any, As] | None:
    event = message.event
    at = message.received.as_of, message.received.offset
    match event:
        case e.Preference():
            return ("preference", event.tenant, event.name), event.value, at
        case e.Setting(what=what) if what in KEPT:
            return (what, event.tenant, event.id), event.value, at
        case e.Tombstone(path=path) if message.received.topic == PREFERENCES.name:
            return ("preference", event.tenant, path), None, at
        case e.Tombstone(path=path) if message.received.topic != RECIPIENTS.name:
            what, _, name = path.partition("/")
            return ((what, event.tenant, name), None, at) if what in KEPT and name else None
        case _:
            return None


def _latest(found: Iterable[tuple[K, V, As]]) -> list[tuple[K, V, As]]:
    newest: dict[K, tuple[K, V, As]] = {}
    for one in found:
        known = newest.get(one[0])
        if known is None or known[2] < one[2]:
            newest[one[0]] = one
    return list(newest.values())
