"""An instant that a person writes: with an offset, or as wall time in a zone that may skip it or have it twice."""

import difflib
import re
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

# fromisoformat also takes week dates, dates alone and any character for the T, and each version of Python a few more.
_WRITTEN = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
_NOT_PLACES = frozenset({"localtime", "Factory"})

FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2199
NOT_MEANT: Final = f"lies outside the years {FIRST_YEAR} to {LAST_YEAR}"


class BadTime(ValueError):
    """The text is not one instant; `candidates` are the instants it could have meant (RFC 3339)."""

    def __init__(self, text: str, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.candidates = candidates


def zone(name: str) -> ZoneInfo:
    """The IANA zone. Raises BadTime naming the nearest one that exists.

    Only names of the zone list: `ZoneInfo` itself also opens `localtime` and `right/…`, which mean another time on
    another machine.
    """
    if name in _names():
        return ZoneInfo(name)
    raise BadTime(f"there is no time zone “{_shown(name)}”{_nearest(name)}")


def instant(text: str, time_zone: str | None = None, fold: int | None = None) -> datetime:
    """The UTC instant of RFC 3339 text with an offset, or of local time in `time_zone`.

    Seconds may be left out. A local time inside a gap or an overlap raises BadTime with both candidates, unless
    `fold` says which: 0 goes by the offset before the change of the clocks, 1 by the one after it (PEP 495).
    """
    parsed = _parsed(text)
    try:
        if parsed.tzinfo is not None:
            return parsed.astimezone(UTC)
        if time_zone is None:
            raise BadTime("has no offset: add one (…+01:00 or …Z), or give time_zone")
        return _local(parsed, zone(time_zone), fold)
    except OverflowError:
        raise BadTime("lies outside the years 1 to 9999") from None


def horizon(now: datetime) -> datetime:
    """The last instant that may be planned: ten years on; what lies further is a slip of the pen."""
    return now + timedelta(days=3660)


def is_meant(day: date) -> bool:
    """Whether anybody can mean this day (or instant): nearer to the ends of the calendar no zone can be reckoned in."""
    return FIRST_YEAR <= day.year <= LAST_YEAR


def checked_day(text: str | None) -> str | None:
    """The same text, a day that is written like 2027-03-01. Raises BadTime: it is none, or none that is meant."""
    if text is not None:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise BadTime("is not a day: write it like 2027-03-01") from None
        if day.isoformat() != text or not is_meant(day):
            raise BadTime(f"is not a day: write it like 2027-03-01, in the years {FIRST_YEAR} to {LAST_YEAR}")
    return text


def _parsed(text: str) -> datetime:
    try:
        if not _WRITTEN.fullmatch(text):
            raise ValueError(text)
        return datetime.fromisoformat(text.upper())
    except ValueError:
        raise BadTime("is not a time: write RFC 3339, for example 2027-03-01T08:00:00+01:00") from None


def _local(wall: datetime, tz: ZoneInfo, fold: int | None) -> datetime:
    by_before, by_after = (wall.replace(tzinfo=tz, fold=f).astimezone(UTC) for f in (0, 1))
    if by_before == by_after:
        return by_before
    if fold is not None:
        return by_after if fold else by_before
    kind = "exists twice" if by_before < by_after else "does not exist"
    candidates = tuple(moment.astimezone(tz).isoformat() for moment in sorted((by_before, by_after)))
    raise BadTime(f"{kind} in {tz.key}: give fold 0 or 1, or one of {' and '.join(candidates)}", candidates)


@cache
def _names() -> frozenset[str]:
    """Read once: the list is a walk over 600 files."""
    return frozenset(available_timezones()) - _NOT_PLACES


def _nearest(name: str) -> str:
    folded = {known.lower(): known for known in _names()}
    near = difflib.get_close_matches(name[:64].lower(), folded, n=1, cutoff=0.5)
    return f"; did you mean {folded[near[0]]}?" if near else ""


def _shown(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name[:64])
