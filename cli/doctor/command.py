"""`tocsin doctor`: looks at everything side by side, and says what is wrong and what helps."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from cli.doctor import archiving, configured, database, kafka, machine, relays, running
from cli.doctor.examining import Examination, examined
from cli.doctor.finding import Finding, skipped, trouble
from cli.doctor.running import Asked
from cli.gateway import Token, Url
from cli.output import Json, emit
from cli.place import root
from cli.timeline import console, plain
from deploy.local.trouble import Trouble
from kit.clock import utc_now
from kit.settings import SettingsError, load

LOOKS: Final = {"ok": "green", "note": "yellow", "trouble": "bold red", "skipped": "dim"}


def doctor(
    try_: Annotated[
        bool, typer.Option("--try", help="Send one of each to the simulators and watch it to its end instead.")
    ] = False,
    french: Annotated[
        bool, typer.Option("--french", help="The titles of --try as the old test script had them.")
    ] = False,
    user: Annotated[str | None, typer.Option("--user", help="Look at what this person has used of the limits.")] = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Find and explain the usual troubles; exit code 1 when there is one."""
    if try_:
        from cli.doctor.trying import play

        play(url, token, french=french, as_json=json)
        return
    found = asyncio.run(_examined(root(), Asked(url, token, user)))
    troubles = [one for one in found if one.state == "trouble"]
    shown = {"ok": not troubles, "checks": [asdict(one) for one in found]}
    emit(shown, as_json=json, people=lambda: _tell(found))
    if troubles:
        raise typer.Exit(1)


async def _examined(place: Path, asked: Asked) -> list[Finding]:
    try:
        settings = load(place, os.environ)
    except SettingsError as error:
        return await _without_settings(place, error)
    now = utc_now()

    async def told() -> Sequence[Finding]:
        return configured.configured(settings, place, now)

    return await examined(
        [
            Examination(configured.CHECKS, told),
            Examination(machine.CHECKS, partial(machine.machine, settings, place, _ports(place))),
            Examination(archiving.CHECKS, partial(archiving.archiving, settings)),
            Examination(database.CHECKS, partial(database.database, settings)),
            Examination(kafka.CHECKS, partial(kafka.kafka, settings, now), kafka.SECONDS),
            Examination(running.CHECKS, partial(running.running, settings, asked), running.SECONDS),
            Examination(relays.names(settings), partial(relays.relays, settings)),
        ]
    )


async def _without_settings(place: Path, error: SettingsError) -> list[Finding]:
    """Nothing else can be found without them."""
    wrong = []
    for problem in error.problems:
        what, _, remedy = problem.rpartition(". ") if ". " in problem else (problem, "", "mend it")
        wrong.append(trouble("settings", what, remedy))
    here = await examined([Examination(machine.CHECKS, partial(machine.machine, None, place, None))])
    others = (*configured.CHECKS[1:], *archiving.CHECKS, *database.CHECKS, *kafka.CHECKS, *running.CHECKS)
    return [*wrong, *here, *(skipped(check, "the settings cannot be read") for check in others)]


def _ports(place: Path) -> machine.Taken | None:
    """Where the embedded servers are not installed, nothing is started from here."""
    try:
        from deploy.local.installation import installation

        stack = installation(place, os.environ)
    except (ImportError, Trouble, SettingsError):
        return None
    return lambda: list(stack.taken_ports())


def _tell(found: Sequence[Finding]) -> None:
    to = console()
    width = max(len(one.check) for one in found)
    for one in found:
        word = one.state.upper() if one.state == "trouble" else one.state
        to.print(Text.assemble((f"{word:<8}", LOOKS[one.state]), f"{one.check:<{width}}  {plain(one.what)}"))
        if one.remedy:
            to.print(Text.assemble(" " * (width + 10), ("→ ", LOOKS[one.state]), plain(one.remedy)))
    counted = Counter(one.state for one in found)
    to.print(f"{len(found)} checks: {', '.join(f'{n} {state}' for state, n in counted.items())}")
