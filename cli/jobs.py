"""`tocsin jobs`: what runs by itself every day, and running one of them now."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.gateway import OPERATOR, Token, Url, gateway
from cli.output import PATIENCE, Json, Progress, as_shown, emit, listed, moment, table
from client.operations import ENDED, JobSeen, Operations, RunSeen

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_(url: Url = None, token: Token = None, json: Json = False) -> None:
    """Show the jobs: what they do, when they last ran and will run."""
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=None) as tocsin:
        jobs = Operations(tocsin).jobs()
    listed("jobs", jobs, ("job", "last run", "at", "next run", "what it does"), _row, as_json=json)


@app.command()
def run(
    id: Annotated[str, typer.Argument(help="Which one; `tocsin jobs list` names them.")],
    seconds: Annotated[float, typer.Option("--seconds", help="Wait no longer than this for the result.", min=0)] = 60,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Run a job now, and say what came of it; exit code 1 when it failed or has not ended in time."""
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=None) as tocsin:
        seen = Operations(tocsin).run(id, seconds, Waiting())
    emit(as_shown(seen), as_json=json, people=lambda: _told(seen))
    if seen.state != "done":
        raise typer.Exit(1)


class Waiting:
    """Says who is still at it, whenever that changes."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._progress = Progress(patience)
        self._said = ""

    def __call__(self, seen: RunSeen) -> None:
        busy = [name for name, part in seen.results.items() if part["state"] not in ENDED]
        words = f"waiting for {', '.join(busy) or 'an answer'}"
        if words != self._said and self._progress.speaks:
            self._said = words
            self._progress.say(words)


def _told(seen: RunSeen) -> None:
    rows = [(service, part["state"], _words(part.get("result", {}))) for service, part in seen.results.items()]
    table(("service", "state", "result"), rows)
    if seen.deleted_count is not None and seen.duration_seconds is not None:
        print(f"{seen.deleted_count} notifications deleted, in {seen.duration_seconds} s.")


def _words(result: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in result.items())


def _row(job: JobSeen) -> tuple[object, ...]:
    return job.id, job.status, moment(job.last_run), moment(job.next_run), job.description
