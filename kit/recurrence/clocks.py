"""Where the clocks of a zone change, and what that does to wall time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

STRIDE: Final = timedelta(hours=12)
"""No zone has changed its clocks twice within this time."""
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Gap:
    """Wall times that do not exist: from `begins` on, and `ends` is the first that exists again (both without zone)."""

    begins: datetime
    ends: datetime


def wall(at: datetime, zone: ZoneInfo) -> tuple[datetime, timedelta]:
    """What the clock on the wall shows, and how far it is ahead of UTC."""
    local = at.astimezone(zone)
    shown = local.replace(tzinfo=None, fold=0)
    return shown, shown - at.astimezone(UTC).replace(tzinfo=None)


def next_change(begin: datetime, zone: ZoneInfo, *, until: datetime) -> datetime | None:
    """The first instant after `begin`, and not after `until`, at which the offset is another; None without one."""
    earlier = begin.replace(microsecond=0)
    _, offset = wall(earlier, zone)
    while earlier < until:
        later = min(earlier + STRIDE, until)
        if wall(later, zone)[1] != offset:
            return _between(earlier, later, zone, offset)
        earlier = later
    return None


def gap_ending(at: datetime, zone: ZoneInfo) -> Gap | None:
    """The gap whose end this instant is; None at any other instant."""
    shown, offset = wall(at, zone)
    _, before = wall(at - _SECOND, zone)
    return Gap(shown - (offset - before), shown) if offset > before else None


def is_twice(at: datetime, zone: ZoneInfo) -> bool:
    """Whether the wall time of this instant is there a second time."""
    local = at.astimezone(zone)
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


def _between(earlier: datetime, later: datetime, zone: ZoneInfo, offset: timedelta) -> datetime:
    """To the second, which is as exact as the zone data are; both ends are whole seconds."""
    while later - earlier > _SECOND:
        middle = (earlier + (later - earlier) / 2).replace(microsecond=0)
        if wall(middle, zone)[1] == offset:
            earlier = middle
        else:
            later = middle
    return later
