"""How much CPU a process has used, as Linux counts it (proc(5), /proc/<pid>/stat)."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TICK: Final = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class _Stat:
    parent: int
    own: float
    ended_children: float


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of all below it, those that ended among them included.

    0.0 where there is no such process (or no /proc).
    """
    stats = {pid_: stat for entry in Path("/proc").glob("[0-9]*") if (stat := _stat(pid_ := int(entry.name)))}
    return sum(stats[one].own + stats[one].ended_children for one in _family(pid, stats))


def _family(pid: int, stats: dict[int, _Stat]) -> set[int]:
    family, found = set(), {pid} & stats.keys()
    while found:
        family |= found
        found = {one for one, stat in stats.items() if stat.parent in found} - family
    return family


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field is the program's name in parentheses, which may hold anything.
    fields = text.rpartition(")")[2].split()
    user, system, user_of_children, system_of_children = (int(field) * TICK for field in fields[11:15])
    return _Stat(int(fields[1]), user + system, user_of_children + system_of_children)
