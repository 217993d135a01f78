"""supervisor's configuration for a stack."""

from __future__ import annotations

import resource
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.local.places import MANAGER, Places
from deploy.local.program import Program

FILES = 10_240
"""Files that each program may have open, where the system allows so many."""
SERVERS, SERVICES = "servers", "services"


def configuration(places: Places, servers: Sequence[Program], services: Sequence[Program]) -> str:
    """Servers start with the manager, services when they are told to; at the end services go first."""
    sections = [
        "[supervisord]",
        f"logfile={_plain(places.log(MANAGER))}",
        "logfile_maxbytes=5MB",
        "logfile_backups=1",
        "silent=true",
        f"pidfile={_plain(places.run / 'manager.pid')}",
        f"childlogdir={_plain(places.run)}",
        f"directory={_plain(places.root)}",
        f"minfds={_files()}",
        "",
        "[unix_http_server]",
        f"file={_plain(places.socket)}",
        "chmod=0700",
        "",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
        "",
        # For people: `supervisorctl -c` with this file.
        "[supervisorctl]",
        f"serverurl=unix://{_plain(places.socket)}",
        "",
    ]
    # The manager ends groups from the last to the first, and a group's programs side by side.
    for priority, (group, programs) in enumerate(((SERVERS, servers), (SERVICES, services)), 1):
        if programs:
            names = ",".join(program.name for program in programs)
            sections += [f"[group:{group}]", f"programs={names}", f"priority={priority}", ""]
        for program in programs:
            sections += _section(places, program, autostart=group == SERVERS)
    return "\n".join(sections)


def _section(places: Places, program: Program, *, autostart: bool) -> list[str]:
    launch = [sys.executable, "-m", "deploy.local.launch", str(places.record(program.name)), *program.command]
    return [
        f"[program:{program.name}]",
        f"command={shlex.join(launch).replace('%', '%%')}",
        f"directory={_plain(places.root)}",
        f"autostart={'true' if autostart else 'false'}",
        "autorestart=true",
        "startsecs=2",
        # It goes on trying, each pause a second longer than the one before.
        "startretries=100000",
        f"stopsignal={program.stop_signal.name.removeprefix('SIG')}",
        f"stopwaitsecs={program.stop_seconds}",
        "killasgroup=true",
        "redirect_stderr=true",
        f"stdout_logfile={_plain(places.log(program.name)).replace('%', '%%')}",  # the one that is expanded twice
        "stdout_logfile_maxbytes=20MB",
        "stdout_logfile_backups=1",
        "",
    ]


def _files() -> int:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)


def _plain(value: Path) -> str:
    """A path as supervisor's configuration takes it: `%` doubled."""
    return str(value).replace("%", "%%")
