"""What reminders and reports say where no template says it: in French to who reads French, else in English."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from contracts.plan import Reminder
from kit.deadline_plan import DueDate

DAY: Final = timedelta(days=1)
LINES: Final = 20
"""Deadlines that a report names of each kind; the others are counted."""


@dataclass(frozen=True, slots=True)
class Language:
    """The words of one language; {} are filled in."""

    months: str
    day: str
    at: str
    today: str
    tomorrow: str
    in_days: str
    coming: str
    coming_body: str
    late: str
    late_for: str
    late_body: str
    urgent: str
    urgent_body: str
    missed: str
    report: str
    counts: Mapping[str, tuple[str, str]]
    headings: Mapping[str, str]
    more: str


ENGLISH: Final = Language(
    months="January February March April May June July August September October November December",
    day="{day} {month} {year}",
    at="{date} at {time}",
    today="today",
    tomorrow="tomorrow",
    in_days="in {n} days",
    coming="{title}: due {when}",
    coming_body="{title} is due {when}, on {date}.",
    late="{title}: late",
    late_for="{title}: late for {n} days",
    late_body="{title} is late: it was due on {date}.",
    urgent="Urgent: {title}",
    urgent_body="{title} is urgent.",
    missed="Reminders whose time had passed: {rules}.",
    report="Daily report: {counts}",
    counts={
        "late": ("{n} late", "{n} late"),
        "today": ("{n} due today", "{n} due today"),
        "urgent": ("{n} urgent",) * 2,
    },
    headings={"late": "Late", "today": "Due today", "urgent": "Urgent"},
    more="and {n} more",
)
FRENCH: Final = Language(
    months="janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    day="{day} {month} {year}",
    at="{date} à {time}",
    today="aujourd'hui",
    tomorrow="demain",
    in_days="dans {n} jours",
    coming="{title} : échéance {when}",
    coming_body="{title} arrive à échéance {when}, le {date}.",
    late="{title} : en retard",
    late_for="{title} : en retard de {n} jours",
    late_body="{title} est en retard : l'échéance était le {date}.",
    urgent="Urgent : {title}",
    urgent_body="{title} est urgent.",
    missed="Rappels dont l'heure était passée : {rules}.",
    report="Rapport quotidien : {counts}",
    counts={
        "late": ("{n} en retard",) * 2,
        "today": ("{n} à traiter aujourd'hui",) * 2,
        "urgent": ("{n} urgent", "{n} urgents"),
    },
    headings={"late": "En retard", "today": "À traiter aujourd'hui", "urgent": "Urgents"},
    more="et {n} de plus",
)


def language(locale: str | None) -> Language:
    """The language of a locale such as fr or fr-CH."""
    return FRENCH if (locale or "").lower().split("-")[0].split("_")[0] == "fr" else ENGLISH


def of_reminder(
    title: str, reminder: Reminder, due: DueDate, locale: str | None, now: datetime, missed: Sequence[str] = ()
) -> tuple[str, str]:
    """Subject and body of a reminder that is said at `now`."""
    words = language(locale)
    title = title or "-"
    subject, body = _situation(title, due, words, now)
    if reminder.while_ == "urgent":
        subject = words.urgent.format(title=title)
    if missed:
        body += " " + words.missed.format(rules=", ".join(missed))
    return subject, body


def _situation(title: str, due: DueDate, words: Language, now: datetime) -> tuple[str, str]:
    late_from, day = due.instant, due.local_day
    if late_from is None or day is None:
        return words.urgent.format(title=title), words.urgent_body.format(title=title)
    written = _date(due, words)
    if now >= late_from:
        days = _days_between(late_from, now, due)
        subject = words.late_for.format(title=title, n=days) if days > 1 else words.late.format(title=title)
        return subject, words.late_body.format(title=title, date=written)
    when = _when((day - now.astimezone(due.zone).date()).days, words)
    return words.coming.format(title=title, when=when), words.coming_body.format(title=title, when=when, date=written)


def _days_between(earlier: datetime, later: datetime, due: DueDate) -> int:
    """Whole days on the person's clock."""
    walls = [instant.astimezone(due.zone).replace(tzinfo=None) for instant in (earlier, later)]
    return (walls[1] - walls[0]) // DAY


def _when(days: int, words: Language) -> str:
    return {0: words.today, 1: words.tomorrow}.get(days) or words.in_days.format(n=days)


def _date(due: DueDate, words: Language) -> str:
    if due.at is not None:
        local = due.at.astimezone(due.zone)
        return words.at.format(date=written(local.date(), words), time=f"{local:%H:%M}")
    return written(due.local_day, words) if due.local_day else ""


def written(day: date, words: Language) -> str:
    """A day as people write it."""
    return words.day.format(day=day.day, month=words.months.split()[day.month - 1], year=day.year)


def of_report(found: Mapping[str, Sequence[tuple[str, DueDate]]], locale: str | None) -> tuple[str, str]:
    """Subject and body of a daily report: by kind (late, today, urgent) the titles, and when each is due."""
    words = language(locale)
    counts = [words.counts[kind][len(some) > 1].format(n=len(some)) for kind, some in found.items() if some]
    parts = [_part(words.headings[kind], some, words) for kind, some in found.items() if some]
    return words.report.format(counts=", ".join(counts)), "\n\n".join(parts)


def _part(heading: str, some: Sequence[tuple[str, DueDate]], words: Language) -> str:
    lines = [f"- {title or '-'}{f' ({date})' if (date := _date(due, words)) else ''}" for title, due in some[:LINES]]
    rest = [f"- {words.more.format(n=len(some) - LINES)}"] if len(some) > LINES else []
    return "\n".join([f"{heading}:", *lines, *rest])
