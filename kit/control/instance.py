"""Who we are among the instances of our service."""

import os
import socket
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Self
from uuid import UUID

from contracts.identity import object_id


@dataclass(frozen=True, slots=True)
class Instance:
    """One process of a service; `name` is its host and its process id."""

    service: str
    name: str

    @classmethod
    def of(cls, service: str) -> Self:
        """This process."""
        return cls(service, f"{socket.gethostname()}/{os.getpid()}")

    @property
    def heartbeat_id(self) -> UUID:
        """What its heartbeats are about."""
        return object_id("default", "heartbeat", f"{self.service}/{self.name}")


@cache
def our_version() -> str:
    """The version that is installed; `unknown` where it runs from a bare folder."""
    try:
        return version("tocsin")
    except PackageNotFoundError:
        return "unknown"
