"""`tocsin jobs`: what runs by itself every day, and running one of them now."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from cli.gateway import Token, Url, gateway
from cli.output import Json, emit, table
from client.operations import Operations, RunSeen

ME = "operator"

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_(url: Url = None, token: Token = None, json: Json = False) -> None:
    """Show the jobs: what they do, when they last ran and will run."""
    with gateway(ME, "admin", url=url, token=token, tenant=None) as tocsin:
        jobs = Operations(tocsin).jobs()
    rows = [(job.id, job.status, _at(job.last_run), _at(job.next_run), job.description) for job in jobs]
    emit(
        {"jobs": [job.model_dump(mode="json", exclude_none=True) for job in jobs]},
        as_json=json,
        people=lambda: table(("job", "last run", "at", "next run", "what it does"), rows),
    )


@app.command()
def run(
    id: Annotated[str, typer.Argument(help="Which one; `tocsin jobs list` names them.")],
    seconds: Annotated[float, typer.Option("--seconds", help="Wait no longer than this for the result.", min=0)] = 60,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Run a job now, and say what came of it; exit code 1 when it failed or has not ended in time."""
    with gateway(ME, "admin", url=url, token=token, tenant=None) as tocsin:
        seen = Operations(tocsin).run(id, seconds)
    emit(seen.model_dump(mode="json", exclude_none=True), as_json=json, people=lambda: _told(seen))
    if seen.state != "done":
        raise typer.Exit(1)


def _told(seen: RunSeen) -> None:
    rows = [(service, part["state"], _words(part.get("result", {}))) for service, part in seen.results.items()]
    table(("service", "state", "result"), rows)


def _words(result: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in result.items())


def _at(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at else "-"
