"""Intake's own numbers, each with a sentence; what people set is in `kit.settings`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

from contracts.status import Channel
from kit.hours import Calendar, span
from kit.settings import Settings
from services.intake.rules.facts import DigestRule, Policy
from services.intake.rules.limits import Caps
from services.intake.rules.sweeping import SweepPace

SWEEPS: Final = "TOCSIN_TEST_SWEEPS"
"""`off` in the environment of a test: a sweep must not hide a broken rule."""


BATCH: Final = 250
"""Requests judged at once: some 20 ms, which is how long an urgent one may have to wait for a bulk batch."""
LARGE_BATCH: Final = 1000
"""The same while nothing urgent comes: the first urgent one may have to wait for some 80 ms."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds between two looks of each loop."""

    sweep: float
    group_ends: float = 1.0
    retelling: float = 1.0
    directory: float = 0.5
    counts: float = 5.0
    usage: float = 600.0

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The scheduler's interval bounds the sweeps."""
        return cls(sweep=min(15.0, settings.notifications.scheduler.check_interval_seconds / 2))


REMEMBERED_DAYS: Final = 36
"""So long after its end a notification is known, so that its key means nothing new: longer than any claim (P8), and a
day longer than the gateway knows what it has cleaned up."""


def remembered(settings: Settings) -> timedelta:
    """The same; longer where people see what was sent for longer: what is seen is not accepted anew."""
    return timedelta(days=max(REMEMBERED_DAYS, settings.cleanup.delete_sent_after_days + REMEMBERED_DAYS - 30))


def sweep_pace_of(settings: Settings) -> SweepPace:
    """The slack of P3.9 is two of the scheduler's intervals: 60 seconds make the two minutes."""
    slack = timedelta(seconds=2 * settings.notifications.scheduler.check_interval_seconds)
    return SweepPace(slack=slack, pause=slack)


def policy_of(settings: Settings) -> Policy:
    """What the installation allows."""
    told = settings.notifications
    per_user = told.limits.per_user
    return Policy(
        off=told.channels_off,
        countries=frozenset(told.sms.countries),
        time_zone=told.default_time_zone,
        hours={
            Channel(channel): Calendar((span(h.start, h.end, h.days),), h.time_zone or told.default_time_zone)
            for channel, h in told.hours.items()
        },
        caps=Caps(per_user.hour, per_user.day),
        digests={
            category: DigestRule(
                Channel(d.channel), timedelta(seconds=d.every_seconds) if d.every_seconds else None, d.at, d.template
            )
            for category, d in told.digests.items()
        },
        transactional=frozenset(told.transactional_categories),
        unsubscribing=settings.unsubscribing if settings.reachable else None,
    )


def sweeps(environ: Mapping[str, str]) -> bool:
    """Whether the sweep runs; everywhere but in some tests."""
    return environ.get(SWEEPS, "") != "off"
