"""What a batch is judged by beside the requests themselves: people, templates, groups, settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from contracts.lives import DEFAULT_LIFE
from contracts.status import Channel, Lane
from contracts.suppression import Suppression
from kit.hours import Calendar, Span
from kit.rendering import Template, Unrenderable
from kit.unsubscribing import Unsubscribing
from services.intake.rules.limits import NO_CAPS, Caps, Usage

FOR_EVER: Final = datetime(9999, 12, 31, tzinfo=UTC)
"""Later than any acceptance: what a group's cancel for ever reaches."""

LAST: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def later(at: datetime, by: timedelta) -> datetime:
    """`at` and that much more, as far as there is a calendar; who writes the year 9999 is told so by the horizon."""
    return at + min(by, max(LAST - at, timedelta()))


def default_expiry(lane: Lane, planned: datetime) -> datetime:
    """P3.7: until when a notification lives that says nothing of it."""
    return later(planned, DEFAULT_LIFE[lane])


@dataclass(frozen=True, slots=True)
class DigestRule:
    """How a category is gathered into digests (P3.8): every so often, or daily `at` a time of the person's zone."""

    channel: Channel
    every: timedelta | None = None
    at: str | None = None
    template: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What the installation allows. `countries`: two letters each, none = all. `hours`: a channel without any is open.

    Nobody can opt out of a category of `transactional`. `unsubscribing` makes the links by which one can; None: no mail
    carries one.
    """

    off: frozenset[Channel] = frozenset()
    countries: frozenset[str] = frozenset()
    time_zone: str = "Europe/Paris"
    hours: Mapping[Channel, Calendar] = field(default_factory=dict)
    caps: Caps = NO_CAPS
    transactional: frozenset[str] = frozenset()
    digests: Mapping[str, DigestRule] = field(default_factory=dict)
    unsubscribing: Unsubscribing | None = None


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person wants: (category, channel) pairs that must not come, and the hours without disturbance."""

    opted_out: frozenset[tuple[str, Channel]] = frozenset()
    quiet: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """What the directory says of a recipient."""

    email: str | None = None
    phone: str | None = None
    locale: str | None = None
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A template in the version that its name stands for; `trouble` where the version cannot be read."""

    version: str
    template: Template | None
    trouble: Unrenderable | None = None


@dataclass(frozen=True, slots=True)
class GroupEnd:
    """A cancel of a whole group: its members accepted up to `through` end. `owner` None: whoever asked for them."""

    owner: str | None
    through: datetime
    reason: str | None = None

    def meets(self, owner: str, accepted_at: datetime) -> bool:
        """Whether a member is one of those (P3.4)."""
        return accepted_at <= self.through and self.owner in (None, owner)


@dataclass(frozen=True, slots=True)
class CollapseKey:
    """Of the unsent notifications under one key only the newest is sent (P3.5).

    The channel belongs to it: one request for several channels would otherwise collapse itself.
    """

    tenant: str
    person: str
    channel: Channel
    key: str


@dataclass(frozen=True, slots=True)
class Newest:
    """The notification that a collapse key stands for."""

    accepted_at: datetime
    id: UUID

    def __lt__(self, other: "Newest") -> bool:
        return (self.accepted_at, self.id) < (other.accepted_at, other.id)


Tenanted = tuple[str, str]
"""A tenant, and a name within it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """`directory_until`: whatever was written to the directory's topics before that instant is known here (P3.6).
    `catching_up`: after a restore, what was said later than this is not known yet (P9)."""

    policy: Policy = Policy()
    people: Mapping[Tenanted, Person] = field(default_factory=dict)
    templates: Mapping[Tenanted, Found] = field(default_factory=dict)
    groups: Mapping[Tenanted, Sequence[GroupEnd]] = field(default_factory=dict)
    newest: Mapping[CollapseKey, Newest] = field(default_factory=dict)
    directory_until: datetime | None = None
    wishes: Mapping[Tenanted, Wishes] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    suppressed: Mapping[Tenanted, Suppression] = field(default_factory=dict)
    catching_up: bool = False

    @property
    def may_hold(self) -> bool:
        """Whether anything but the request's own time may keep it from being sent."""
        policy = self.policy
        return bool(self.wishes or policy.hours or policy.digests or policy.caps)

    def group_end(self, tenant: str, group: str | None, owner: str, accepted_at: datetime) -> GroupEnd | None:
        """The cancel that a member of this group has met, if any."""
        ends = self.groups.get((tenant, group), ()) if group else ()
        return next((end for end in ends if end.meets(owner, accepted_at)), None)
