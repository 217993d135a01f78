"""Whether a recipient wants it, and when: opt-outs, the hours of the channel, his quiet hours, his limits."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from contracts.status import Channel, Held, Lane
from kit.hours import Calendar, allowed, allowed_until
from kit.retry import Window, moved_into
from services.intake.rules.facts import Facts, Wishes
from services.intake.rules.limits import SEARCH, Place, Recipient, Room, Searched, first_room, recipient_of
from services.intake.rules.row import Moment, Row

OPTED_OUT: Final = "category: {0} does not want {1} by {2}: the person can allow it in the preferences"
NO_HOURS: Final = (
    "quiet_hours: {0}'s quiet hours leave nothing of notifications.hours.{1} within seven days: change one of them"
)
NEVER_QUIET: Final = "quiet_hours: those of {0} leave no time within seven days: the person can shorten them"
NO_WISHES: Final = Wishes()


class Unwanted(Exception):
    """It must not be sent, ever: a stable word, and for people what would help."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Opening:
    """The first allowed instant; why it is not now; all allowed intervals of the next days, None = always."""

    at: datetime
    windows: tuple[Window, ...] | None = None
    why: Held | None = None


def check_wanted(row: Row, facts: Facts) -> None:
    """Raises Unwanted where the person has opted out of this category on this channel; some cannot be opted out of."""
    category, channel = row.wanted().category, row.channel
    if category is None or channel is None or category in facts.policy.transactional:
        return
    if (category, channel) in _wishes(row, facts).opted_out:
        raise Unwanted("opted_out", OPTED_OUT.format(row.user_id, category, channel))


def opening(row: Row, facts: Facts, moment: Moment) -> Opening:
    """When the hours allow it. Urgent passes, and the inbox disturbs nobody. Raises Unwanted where they never do."""
    opened, quiet = _calendars(row, facts)
    windows = allowed(opened, quiet, moment.now)
    if windows is None:
        return Opening(moment.now)
    at = moved_into(moment.now, windows)
    if at is None:
        told = NO_HOURS if opened else NEVER_QUIET
        raise Unwanted("no_allowed_hours", told.format(row.user_id, row.channel))
    return Opening(at, windows, _which(opened, moment.now) if at > moment.now else None)


def room_for(row: Row, found: Opening, facts: Facts, moment: Moment) -> Room:
    """The place it takes within the limits of its recipient, at the opening or later (P3.1).

    Who was promised a place has it, in its own hour; urgent takes one, be it free or not.
    """
    caps = facts.policy.caps
    if not caps or found.at > moment.now:
        return Room(found.at, None, found.why)
    recipient, zone = recipient_of(row.tenant, row.wanted()), _zone(row, facts)
    place = Place.at(recipient, found.at, zone)
    if _was_promised(row, place, zone):
        return Room(found.at, None)
    if row.lane is Lane.URGENT or facts.usage.full(place, caps) is None:
        return Room(found.at, place)
    return first_room(_searched(row, recipient, found.at, facts), recipient, zone, caps, facts.usage)


def _searched(row: Row, recipient: Recipient, at: datetime, facts: Facts) -> Searched:
    """Where the search for a place goes on: whoever sends somebody a thousand goes through his month once."""
    known = facts.usage.searched.get((recipient, row.channel))
    if known is None or (known.at is not None and known.at < at):
        last = at + SEARCH
        known = Searched(at, last, allowed_until(*_calendars(row, facts), at, last))
        facts.usage.searched[recipient, row.channel] = known
    return known


def _was_promised(row: Row, place: Place, zone: str) -> bool:
    if row.planned_at is None or row.reason not in (Held.HOUR_LIMIT, Held.DAY_LIMIT):
        return False
    return Place.at(place.recipient, row.planned_at, zone) == place


def _calendars(row: Row, facts: Facts) -> tuple[Calendar | None, Calendar | None]:
    """The hours of the channel, and the hours in which the person wants quiet."""
    if row.lane is Lane.URGENT or row.channel in (None, Channel.INAPP):
        return None, None
    quiet = _wishes(row, facts).quiet
    return facts.policy.hours.get(row.channel), Calendar(quiet, _zone(row, facts)) if quiet else None


def _which(opened: Calendar | None, now: datetime) -> Held:
    inside = opened is None or _holds(allowed(opened, None, now), now)
    return Held.QUIET_HOURS if inside else Held.OPERATING_HOURS


def _holds(windows: tuple[Window, ...] | None, now: datetime) -> bool:
    return windows is None or moved_into(now, windows) == now


def _wishes(row: Row, facts: Facts) -> Wishes:
    return facts.wishes.get((row.tenant, row.user_id), NO_WISHES) if row.user_id else NO_WISHES


def _zone(row: Row, facts: Facts) -> str:
    """That of the person; what the sender writes as `time_zone` is about his `send_at`."""
    person = facts.people.get((row.tenant, row.user_id)) if row.user_id else None
    return (person and person.time_zone) or facts.policy.time_zone
