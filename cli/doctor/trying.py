"""`tocsin doctor --try`: the test script of the old systems, on this one: six steps, each said as it ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import typer
from rich.console import Console
from rich.text import Text

from cli.doctor.parts import Part, ask, at_once, look, reminder, simulated
from cli.gateway import gateway
from cli.output import emit
from cli.timeline import console, plain
from client.errors import TocsinError
from client.operations import Operations, OrderSeen
from client.rest import Tocsin
from client.shapes import Answer
from kit.clock import monotonic, utc_now

ME: Final = "doctor"
PATIENCE: Final = 45.0
"""Seconds that all parts of a step may take together."""
GLANCE_SECONDS: Final = 0.1
JOB: Final = "process_notifications"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a step."""

    step: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its name, its title in English and in French, and what it does: whether all is well, and why."""

    name: str
    title: str
    titre: str
    act: Callable[[Tocsin], tuple[bool, str]]


def play(url: str | None, token: str | None, *, french: bool, as_json: bool) -> None:
    """All steps; exit code 1 when one fails."""
    done: list[Outcome] = []
    to = console()
    with gateway(ME, "admin", url=url, token=token, tenant=None) as tocsin:
        for step in STEPS:
            done.append(_played(step, tocsin))
            if not as_json:
                _tell(to, step, done[-1], french=french)
    failed = [one.step for one in done if not one.ok]
    emit({"ok": not failed, "steps": [asdict(one) for one in done]}, as_json=as_json, people=lambda: _end(done, french))
    if failed:
        raise typer.Exit(1)


def _played(step: Step, tocsin: Tocsin) -> Outcome:
    try:
        return Outcome(step.name, *step.act(tocsin))
    except TocsinError as error:
        return Outcome(step.name, False, str(error))


def _tell(to: Console, step: Step, outcome: Outcome, *, french: bool) -> None:
    mark, style = ("✔", "green") if outcome.ok else ("✘", "bold red")
    title = step.titre if french else step.title
    to.print(Text.assemble((f"{mark} ", style), (f"{title:<28}", "bold"), plain(outcome.detail)))
    sys.stdout.flush()


def _end(done: Sequence[Outcome], french: bool) -> None:
    failed = sum(not one.ok for one in done)
    if french:
        print(f"{failed} étape(s) sur {len(done)} en échec" if failed else "Tous les tests ont réussi")
    else:
        print(f"{failed} of {len(done)} steps failed" if failed else "All steps went well")


# ------------------------------------------------------------------------------------------------------------ the steps


def _health(tocsin: Tocsin) -> tuple[bool, str]:
    tocsin.ask(Answer, "GET", "/v1/limits")
    return True, f"the gateway answers at {tocsin.url}"


def _connections(tocsin: Tocsin) -> tuple[bool, str]:
    operations = Operations(tocsin)
    tried = [operations.test(one.name) for one in operations.providers()]
    return all(map(_is_well, tried)), "; ".join(f"{one.provider}: {_said(one)}" for one in tried)


def _is_well(order: OrderSeen) -> bool:
    return order.state == "done" and bool(order.result.get("ok"))


def _said(order: OrderSeen) -> str:
    if order.state == "waiting":
        return "its sender does not answer"
    return str(order.result.get("detail") or order.result.get("error") or order.state)


def _creation(tocsin: Tocsin) -> tuple[bool, str]:
    return _all_well(tocsin, simulated())


def _immediately(tocsin: Tocsin) -> tuple[bool, str]:
    return _all_well(tocsin, at_once())


def _scheduler(tocsin: Tocsin) -> tuple[bool, str]:
    """A reminder comes when it should, never before; and the job that looks for what is due can be run."""
    well, told = _all_well(tocsin, [part := reminder(utc_now())])
    run = Operations(tocsin).run(JOB, 10)
    late = _late(part)
    early = late is not None and late < 0
    when = f", {late:.2f} s after its time" if late is not None else ""
    return well and not early and run.state == "done", f"{told}{when}; {JOB}: {run.state}"


def _late(part: Part) -> float | None:
    if part.seen is None or part.seen.send_at is None:
        return None
    at = next((line.at for line in part.seen.timeline if line.event == part.wanted), None)
    return (at - part.seen.send_at).total_seconds() if isinstance(at, datetime) else None


def _statistics(tocsin: Tocsin) -> tuple[bool, str]:
    told: dict[str, Any] = tocsin.ask(Answer, "GET", "/v1/admin/stats").model_dump()
    sides = told["reconciliation"]
    return sides["accepted"] == sides["final"] + sides["open"], (
        f"accepted {sides['accepted']} = final {sides['final']} + open {sides['open']}"
    )


def _all_well(tocsin: Tocsin, parts: Sequence[Part]) -> tuple[bool, str]:
    """All at once, watched to their ends."""
    for part in parts:
        ask(tocsin, part)
    over = monotonic() + PATIENCE
    while monotonic() < over and not all(part.is_over for part in parts):
        time.sleep(GLANCE_SECONDS)
        for part in parts:
            look(tocsin, part)
    return all(part.is_well for part in parts), ", ".join(_worst_first(parts))


def _worst_first(parts: Sequence[Part]) -> Iterator[str]:
    yield from (part.told for part in parts if not part.is_well)
    yield from (part.told for part in parts if part.is_well)


STEPS: Final = (
    Step("api", "API health", "Santé de l'API", _health),
    Step("connections", "Connections", "Connexions des services", _connections),
    Step("creation", "Notifications created", "Création de notifications", _creation),
    Step("immediate", "Sent at once", "Envoi immédiat", _immediately),
    Step("scheduler", "Scheduler", "Planificateur", _scheduler),
    Step("statistics", "Statistics", "Statistiques", _statistics),
)
