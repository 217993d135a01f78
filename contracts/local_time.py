"""An instant that a person writes: with an offset, or as wall time in a zone, where some times do not exist or exist twice."""

import difflib
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones


class BadTime(ValueError):
    """The text is not one instant; `candidates` are the instants it could have meant (RFC 3339)."""

    def __init__(self, text: str, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.candidates = candidates


def zone(name: str) -> ZoneInfo:
    """The IANA zone. Raises BadTime naming the nearest one that exists."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        near = difflib.get_close_matches(name, available_timezones(), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise BadTime(f"there is no time zone “{name}”{hint}") from None


def instant(text: str, time_zone: str | None = None, fold: int | None = None) -> datetime:
    """The UTC instant of RFC 3339 text with an offset, or of local time in `time_zone`.

    A local time inside a gap or an overlap raises BadTime with both candidates, unless `fold` says which:
    0 the earlier offset, 1 the later one (PEP 495).
    """
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise BadTime("is not a time: write RFC 3339, for example 2027-03-01T08:00:00+01:00") from None
    try:
        if parsed.tzinfo is not None:
            return parsed.astimezone(UTC)
        if time_zone is None:
            raise BadTime("has no offset: add one (…+01:00 or …Z), or give time_zone")
        return _local(parsed, zone(time_zone), fold)
    except OverflowError:
        raise BadTime("lies outside the years 1 to 9999") from None


def _local(wall: datetime, tz: ZoneInfo, fold: int | None) -> datetime:
    earlier, later = (wall.replace(tzinfo=tz, fold=f).astimezone(UTC) for f in (0, 1))
    if earlier == later:
        return earlier
    if fold is not None:
        return later if fold else earlier
    kind = "exists twice" if earlier < later else "does not exist"
    candidates = tuple(moment.astimezone(tz).isoformat() for moment in sorted((earlier, later)))
    raise BadTime(f"{kind} in {tz.key}: give fold 0 or 1, or one of {' and '.join(candidates)}", candidates)


def horizon(now: datetime) -> datetime:
    """The last instant that may be planned: ten years on; what lies further is a slip of the pen."""
    return now + timedelta(days=3660)
