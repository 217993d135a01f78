"""Do the settings say what one would wish for: secrets, links, what is switched off, hours that are closed now?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from cli.doctor.finding import Finding, note, trouble, well
from kit.hours import Calendar, allowed, first_in, span
from kit.settings import ConsoleProvider, Settings, missing_extras
from kit.settings.follows import LOOPBACK

CHECKS: Final = ("settings", "secrets", "links", "switches", "hours")
SAMPLE: Final = re.compile(r"change|secret|example|default|develop|password|passwort|test|1234|abcd|(.)\1{5}", re.I)
"""What a secret holds that somebody has typed, or copied from a page."""


def configured(settings: Settings, root: Path, now: datetime) -> list[Finding]:
    """Everything that can be told from the settings alone."""
    return [
        *_settings(settings, root),
        *_secrets(settings),
        *_links(settings),
        *_switches(settings),
        *_hours(settings, now),
    ]


def is_production(settings: Settings) -> bool:
    """Whether others can reach it, or it can reach others: then what is handy in development is dangerous."""
    relays = any(not one.host.startswith(LOOPBACK) for one in settings.email_providers)
    texts = any(not isinstance(one, ConsoleProvider) for one in settings.sms_providers)
    return relays or texts or not settings.gateway.host.startswith(LOOPBACK)


def _settings(settings: Settings, root: Path) -> Iterator[Finding]:
    for missing in missing_extras(settings):
        what, _, remedy = missing.partition(". ")
        yield trouble("settings", what, remedy)
    about_links = ("TOCSIN_PUBLIC_URL", "TOCSIN_LINK_SECRET")
    for warning in settings.warnings:
        if not warning.startswith(about_links):
            yield note("settings", warning, "take it out, or say what is missing")
    if not missing_extras(settings):
        yield well("settings", f"those of {root} are good")


def _secrets(settings: Settings) -> Iterator[Finding]:
    secret, serious = settings.jwt.secret, is_production(settings)
    reachable = not settings.gateway.host.startswith(LOOPBACK)
    if secret is None and settings.jwt.jwks_url is None:
        yield trouble("secrets", "JWT_SECRET is not set: nobody can prove who he is", "set it, or run `make run`")
    elif secret and serious and SAMPLE.search(secret):
        yield trouble(
            "secrets",
            "JWT_SECRET looks like a sample, and this installation reaches others: whoever guesses it is an admin",
            "set one that nobody has typed: openssl rand -base64 48; tokens signed with the old one are void then",
        )
    elif settings.gateway.demo and (serious or reachable):
        yield trouble(
            "secrets",
            "the page /demo gives tokens away, and this installation reaches others",
            "set GATEWAY_DEMO=false",
        )
    else:
        yield well("secrets", "tokens are signed elsewhere" if settings.jwt.jwks_url else "JWT_SECRET is no sample")


def _links(settings: Settings) -> Iterator[Finding]:
    """Links to unsubscribe are signed; whoever knows the secret stops anybody's mails."""
    told = [one for one in settings.warnings if one.startswith(("TOCSIN_PUBLIC_URL", "TOCSIN_LINK_SECRET"))]
    for warning in told:
        yield note("links", warning, "set TOCSIN_PUBLIC_URL (https) and TOCSIN_LINK_SECRET for links to unsubscribe")
    if settings.link_secret and is_production(settings) and SAMPLE.search(settings.link_secret):
        yield trouble(
            "links",
            "TOCSIN_LINK_SECRET looks like a sample: whoever guesses it can stop anybody's mails",
            "set one that nobody has typed: openssl rand -base64 48; links in mails that were sent are void then",
        )
    elif settings.link_secret and settings.link_secret == settings.jwt.secret:
        yield trouble(
            "links",
            "TOCSIN_LINK_SECRET is the same as JWT_SECRET: a new one for tokens makes every link void",
            "set another one: openssl rand -base64 48",
        )
    elif not told:
        yield well("links", f"mails lead to {settings.public_url}")


def _switches(settings: Settings) -> Iterator[Finding]:
    told = settings.notifications
    off = []
    if not told.enabled:
        off.append(("notifications.enabled", "everything is accepted and held, and nothing is sent"))
    if not told.scheduler.enabled:
        off.append(("notifications.scheduler.enabled", "the scheduler is off: no reminder, retry or schedule fires"))
    for setting, meaning in off:
        yield trouble("switches", f"{setting} is false: {meaning}", f"set {setting}: true, and start again")
    for channel, on in (("email", told.email.enabled), ("sms", told.sms.enabled)):
        if not on:
            setting = f"notifications.{channel}.enabled"
            yield note("switches", f"{setting} is false: requests are refused", f"set {setting}: true, if not meant")
    if not off:
        yield well("switches", "notifications and the scheduler are on")


def _hours(settings: Settings, now: datetime) -> Iterator[Finding]:
    """A usual reason why "nothing is sent": the channel is closed at this time."""
    told = settings.notifications
    for channel, hours in told.hours.items():
        zone = hours.time_zone or told.default_time_zone
        calendar = Calendar((span(hours.start, hours.end, hours.days),), zone)
        opens = first_in(allowed(calendar, None, now), now)
        if opens is not None and opens > now:
            yield note(
                "hours",
                f"{channel} is closed until {opens:%Y-%m-%d %H:%M}Z: what is not urgent is held until then",
                f"look at notifications.hours.{channel}, or send with lane urgent",
            )
    shut = list(told.hours)
    if not shut:
        yield well("hours", "every channel may speak at any time")
    else:
        yield well("hours", f"operating hours are set for {', '.join(shut)}")
