"""`tocsin bench`: what this machine does, measured: messages per second and processor time per message."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from typing import Annotated

import typer

from cli.output import Json
from cli.place import root
from cli.stack import EMBEDDED
from deploy.local.trouble import Trouble

Names = Annotated[
    list[str] | None, typer.Argument(help="Some of them, such as end_to_end; without any, all.", metavar="[NAME]...")
]


def bench(
    names: Names = None,
    mails: Annotated[int | None, typer.Option("--mails", help="How many mails.", min=1)] = None,
    timers: Annotated[int | None, typer.Option("--timers", help="How many timers are pending.", min=1)] = None,
    connections: Annotated[int | None, typer.Option("--connections", help="How many streams are open.", min=1)] = None,
    json: Json = False,
) -> None:
    """Measure this machine on servers of its own (minutes); exit code 1 when a promise does not hold."""
    folder = root()
    if not (folder / "benchmarks" / "__main__.py").is_file():
        raise Trouble(f"there are no benchmarks in {folder}", "they are in the repository: say `make bench` there")
    if missing := [name for name in EMBEDDED if not find_spec(name)]:
        raise Trouble(f"not installed here: {', '.join(missing)}", "run `scripts/venv.sh local` first")
    sizes = {"--mails": mails, "--timers": timers, "--connections": connections}
    told = [word for name, size in sizes.items() if size is not None for word in (name, str(size))]
    command = [sys.executable, "-m", "benchmarks", *(names or ()), *told, *(["--json"] if json else [])]
    raise typer.Exit(subprocess.run(command, cwd=folder).returncode)
