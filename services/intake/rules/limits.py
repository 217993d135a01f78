"""How much one recipient gets in an hour and a day: who is over that takes the next place that is free (P3.1)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from contracts import local_time
from contracts.addresses import address_hash
from contracts.request import NotificationRequest
from contracts.status import Channel, Held
from kit.hours import day_around, first_in, hour_around
from kit.retry import Window

DAY: Final = timedelta(days=1)
SEARCH: Final = timedelta(days=31)
"""So far ahead places are given away; what finds none is judged again then."""

Recipient = tuple[str, str]
"""A tenant, and a person of the directory or the hash of an address: whoever the counts are about."""

Counts = Mapping[str, int]
"""Notifications by hour ("2027-03-01T08") and by day ("2027-03-01")."""


@dataclass(frozen=True, slots=True)
class Caps:
    """Notifications that one recipient may get; 0 is no limit."""

    hour: int = 0
    day: int = 0

    def __bool__(self) -> bool:
        return bool(self.hour or self.day)


NO_CAPS: Final = Caps()


@dataclass(frozen=True, slots=True)
class Place:
    """One of the places of a recipient: in a clock hour of UTC, and in a day of his own zone."""

    recipient: Recipient
    hour: str
    day: str

    @classmethod
    def at(cls, recipient: Recipient, instant: datetime, time_zone: str) -> "Place":
        day = instant.astimezone(local_time.zone(time_zone))
        return cls(recipient, f"{instant.astimezone(UTC):%Y-%m-%dT%H}", f"{day:%Y-%m-%d}")


@dataclass(slots=True)
class Searched:
    """How far the places of a recipient on a channel are known to be full; a place once full stays so in its batch.

    `windows`: when that channel may reach him, in all of the time that is searched; None = always.
    """

    at: datetime | None
    last: datetime
    windows: Sequence[Window] | None = None
    why: Held | None = None


class Usage:
    """What recipients have had or are promised, as a batch goes on; only the ledger takes places."""

    def __init__(self, known: Mapping[Recipient, Counts] | None = None) -> None:
        self._known = dict(known or {})
        self._taken: dict[Recipient, dict[str, int]] = {}
        self.searched: dict[tuple[Recipient, Channel | None], Searched] = {}

    def full(self, place: Place, caps: Caps) -> Held | None:
        """The limit that leaves no room; the day's first, since it is the longer one."""
        counts = self.of(place.recipient)
        if caps.day and counts.get(place.day, 0) >= caps.day:
            return Held.DAY_LIMIT
        return Held.HOUR_LIMIT if caps.hour and counts.get(place.hour, 0) >= caps.hour else None

    def take(self, place: Place) -> None:
        """Counted once, and never given back."""
        counts = self._taken.setdefault(place.recipient, dict(self._known.get(place.recipient, {})))
        for period in (place.hour, place.day):
            counts[period] = counts.get(period, 0) + 1

    def of(self, recipient: Recipient) -> Counts:
        return self._taken.get(recipient) or self._known.get(recipient, {})

    def changed(self, now: datetime) -> Iterator[tuple[Recipient, Counts]]:
        """Whose counts are to be written; what nobody can ask for any more is left out."""
        oldest = f"{now.astimezone(UTC) - 2 * DAY:%Y-%m-%d}"
        for recipient, counts in self._taken.items():
            yield recipient, {period: n for period, n in counts.items() if period >= oldest}


@dataclass(frozen=True, slots=True)
class Room:
    """The first instant with room, and what filled those before; `place` None: it lies too far off to be promised."""

    at: datetime
    place: Place | None
    why: Held | None = None


def first_room(searched: Searched, recipient: Recipient, time_zone: str, caps: Caps, usage: Usage) -> Room:
    """The first free place from where the last search of this batch ended, at an instant that the hours allow."""
    while searched.at is not None and searched.at < searched.last:
        at, place = searched.at, Place.at(recipient, searched.at, time_zone)
        full = usage.full(place, caps)
        if full is None:
            return Room(at, place, searched.why)
        searched.why = full
        _, over = day_around(at, time_zone) if full is Held.DAY_LIMIT else hour_around(at)
        searched.at = first_in(searched.windows, over)
    return Room(searched.at or searched.last, None, Held.LIMITS)


def recipient_of(tenant: str, request: NotificationRequest) -> Recipient:
    """A person by his id, everybody else by the hash of the address: nobody can be found by it (P8)."""
    if request.user_id is not None:
        return tenant, request.user_id
    return tenant, "to:" + address_hash(request.to or "")
