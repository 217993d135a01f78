"""How services are run here, so that what helps works: by `make run`, compose, Kubernetes or systemd."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

VARIABLE: Final = "TOCSIN_WAY"
"""Set by deploy/compose.yaml and deploy/kubernetes for the `tocsin` command; nobody need set it by hand."""
UNITS: Final = Path("/etc/systemd/system/tocsin@.service")


@dataclass(frozen=True, slots=True)
class Way:
    """Each is a command, or a place, with `{}` for the service (`{dashed}`: as Kubernetes writes it)."""

    start: str
    restart: str
    log: str

    def starts(self, service: str) -> str:
        """The command that starts it."""
        return _filled(self.start, service)

    def starts_again(self, service: str) -> str:
        """The command that ends it and starts it with the settings as they are now."""
        return _filled(self.restart, service)

    def log_of(self, service: str) -> str:
        """Where its lines are."""
        return _filled(self.log, service)


MAKE: Final = Way("`tocsin up`", "`tocsin down`, `tocsin up`", "logs/{}.log")
COMPOSE: Final = Way(
    "`docker compose -f deploy/compose.yaml up --detach {}`",
    "`docker compose -f deploy/compose.yaml up --detach --force-recreate {}`",
    "`docker compose -f deploy/compose.yaml logs {}`",
)
KUBERNETES: Final = Way(
    "`kubectl rollout restart deployment/{dashed}`",
    "`kubectl rollout restart deployment/{dashed}`",
    "`kubectl logs deployment/{dashed}` (`kubectl describe pods` where there is none)",
)
SYSTEMD: Final = Way("`systemctl start tocsin@{}`", "`systemctl restart tocsin@{}`", "`journalctl -u tocsin@{}`")
TOLD: Final[Mapping[str, Way]] = {"compose": COMPOSE, "kubernetes": KUBERNETES, "systemd": SYSTEMD, "make": MAKE}


def way_here(
    environ: Mapping[str, str] = os.environ, is_there: Callable[[Path], bool] = lambda path: path.exists()
) -> Way:
    """As the variable says; without it, by systemd where its units are installed, and else by `make run`."""
    told = TOLD.get(environ.get(VARIABLE, ""))
    return told or (SYSTEMD if is_there(UNITS) else MAKE)


def _filled(text: str, service: str) -> str:
    return text.format(service, dashed=service.replace("_", "-"))
