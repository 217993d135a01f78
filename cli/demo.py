"""What `tocsin up --demo` shows: one of each, each told as it happens, and a reminder that waits for its second."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from cli.gateway import address, remedies
from cli.scenes import Scene, stage
from cli.tokens import minted
from client.errors import Refused, Unavailable
from client.rest import Tocsin
from kit.clock import monotonic, utc_now
from kit.settings import ConsoleProvider, Settings

USER: Final = "alice"
"""Whose notifications these are: `tocsin token --user alice` shows them again."""
REMINDER_SECONDS: Final = 5
PATIENCE_SECONDS: Final = 45.0
GLANCE_SECONDS: Final = 0.1


def run(settings: Settings, *, quiet: bool = False) -> list[dict[str, Any]]:
    """Sends them and tells what happens, until all have ended; they are returned as REST shows them.

    `quiet` tells nothing. Raises Trouble where there is no gateway; what did not go well is told and returned.
    """
    scenes = _scenes(settings)
    with Tocsin(address(settings), minted(settings, USER).token) as tocsin, remedies():
        with stage(quiet=quiet) as show:
            for scene in scenes:
                _ask(tocsin, scene)
            show(scenes)
            over = monotonic() + PATIENCE_SECONDS
            while monotonic() < over and not all(scene.is_over for scene in scenes):
                time.sleep(GLANCE_SECONDS)
                for scene in scenes:
                    _look(tocsin, scene)
                show(scenes)
    for scene in scenes:
        if scene.seen is not None and not scene.is_over:
            print(f"  {scene.name} is still {scene.seen.status}: `tocsin watch {scene.seen.id}`", file=sys.stderr)
    return [_shown(scene) for scene in scenes]


def _scenes(settings: Settings) -> list[Scene]:
    """Nobody outside is written to: a real relay or provider gets the simulators' addresses, which stay here."""
    caught = "mail" in settings.embedded
    mail = f"{USER}@example.com" if caught else "delivered@simulator.test"
    console = all(isinstance(provider, ConsoleProvider) for provider in settings.sms_providers)
    anywhere = not settings.notifications.sms.countries
    number = "+46701740605" if console and anywhere else "+15005550001"  # Sweden keeps it for films
    due = utc_now() + timedelta(seconds=REMINDER_SECONDS)
    return [
        Scene("email", {"channel": "email", "to": mail, "subject": "Hello", "body": "Tocsin is running."}),
        Scene("sms", {"channel": "sms", "to": number, "body": "Tocsin is running."}),
        Scene("inapp", {"channel": "inapp", "user_id": USER, "subject": "Hello", "body": "Tocsin is running."}),
        Scene(
            "reminder",
            {
                "channel": "email",
                "to": mail,
                "subject": f"In {REMINDER_SECONDS} seconds",
                "body": "This one waited for its time.",
                "send_at": due.isoformat(),
            },
        ),
    ]


def _ask(tocsin: Tocsin, scene: Scene) -> None:
    try:
        scene.seen = tocsin.get(tocsin.notify(**scene.body).id)
    except Refused as error:
        scene.refused = str(error)


def _look(tocsin: Tocsin, scene: Scene) -> None:
    """What is away for a moment is looked at again."""
    if scene.seen is not None and not scene.is_over:
        with suppress(Unavailable):
            scene.seen = tocsin.get(scene.seen.id)


def _shown(scene: Scene) -> dict[str, Any]:
    if scene.seen is None:
        return {"name": scene.name, "refused": scene.refused}
    return {"name": scene.name, **scene.seen.model_dump(mode="json", by_alias=True, exclude_none=True)}
