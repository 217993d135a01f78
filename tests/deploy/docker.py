"""A Docker engine of a test's own: on a private socket, its data in a folder of the test, no network of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.deploy import base_image
from tests.lint.tree import ROOT
from tests.waiting import until

BASE = "tocsin-base"
REFUSALS = re.compile(
    "operation not permitted|permission denied|read-only file system|not supported|no such device|cgroup"
    "|failed to mount",
    re.IGNORECASE,
)
"""How a kernel says that it lets nobody make containers here, as inside of many a container."""


class Docker:
    """`with Docker(...) as docker:`; skips the test, with what was said, where the kernel does not let it work."""

    def __init__(self, folder: Path, look_after: Callable[[int, signal.Signals], None]) -> None:
        self.folder = folder
        # The engine's package brings a client that can build; another one on the path may lack a part for it.
        self.client = shutil.which("docker", path=f"/usr/bin:{os.environ.get('PATH', '')}") or "docker"
        self.environment = os.environ | {
            "DOCKER_HOST": f"unix://{folder}/socket",
            "DOCKER_BUILDKIT": "1" if _builds_by_itself(self.client) else "0",
        }
        self._look_after = look_after
        self._engine: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Docker:
        if os.geteuid() != 0:
            pytest.skip("a Docker engine is started by root alone")
        places = {"data-root": "data", "exec-root": "run", "pidfile": "pid"}
        told = [f"--{name}={self.folder / place}" for name, place in places.items()]
        # Containers share this machine's network: it need not be changed for them.
        alone = ["--bridge=none", "--iptables=false", "--ip-masq=false", "-H", self.environment["DOCKER_HOST"]]
        # Beside other processes, each container counts as one; below a group of Docker's all would count as one.
        alone.append("--cgroup-parent=/")
        with self._log.open("wb") as log:
            self._engine = subprocess.Popen(
                ["dockerd", *alone, *told], stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self._look_after(self._engine.pid, signal.SIGTERM)
        try:
            until(lambda: self._over() or self.run("version", check=False).returncode == 0)
            self._or_skip(not self._over(), self._log.read_text(errors="replace"))
            self._make_base()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._engine is None or self._over():
            return
        left = self.run("ps", "--all", "--quiet", check=False).stdout.split()
        if left:
            self.run("rm", "--force", *left, check=False)
        self._engine.terminate()
        self._engine.wait(timeout=60)
        # What it leaves mounted would keep the folder from being removed.
        mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        for place in reversed([place for place in mounted if Path(place).is_relative_to(self.folder)]):
            subprocess.run(["umount", "--lazy", place], capture_output=True)
        shutil.rmtree(self.folder / "data", ignore_errors=True)

    def run(
        self, *arguments: str, check: bool = True, more: Mapping[str, str] = {}
    ) -> subprocess.CompletedProcess[str]:
        """`docker ARGUMENTS`, with `more` in its environment. Raises AssertionError with what it said."""
        told = self.environment | dict(more)
        done = subprocess.run([self.client, *arguments], env=told, capture_output=True, text=True)
        assert not check or done.returncode == 0, f"docker {arguments[0]}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done

    def build(self, service: str, **told: str) -> None:
        """The image `tocsin/SERVICE` by deploy/Dockerfile, on the base of this machine. `told`: its other arguments."""
        given = {"PYTHON": BASE, "SERVICE": service} | told
        arguments = [word for name, value in given.items() for word in ("--build-arg", f"{name}={value}")]
        target = "tools" if service == "tools" else "service"
        file = str(ROOT / "deploy/Dockerfile")
        place = ["--file", file, "--target", target, "--tag", f"tocsin/{service}", str(ROOT)]
        self.run("build", "--network=host", *arguments, *place)

    def _make_base(self) -> None:
        tar = self.folder / "base.tar"
        changes = base_image.write(tar)
        self.run("import", *(word for change in changes for word in ("--change", change)), str(tar), BASE)
        tar.unlink()
        tried = self.run("run", "--rm", "--network=host", BASE, "python", "-c", "", check=False)
        self._or_skip(tried.returncode == 0, tried.stderr)

    def _or_skip(self, good: bool, said: str) -> None:
        if not good and REFUSALS.search(said):
            pytest.skip(f"the kernel lets nobody make containers here: {said.strip().splitlines()[-1]}")
        assert good, said[-3000:]

    def _over(self) -> bool:
        return self._engine is None or self._engine.poll() is not None

    @property
    def _log(self) -> Path:
        return self.folder / "log"


def _builds_by_itself(client: str) -> bool:
    """Clients before 23 have BuildKit in them; later ones need a plugin for it, and can do without."""
    said = subprocess.run([client, "--version"], capture_output=True, text=True).stdout
    version = re.search(r"version (\d+)\.", said)
    plugin = subprocess.run([client, "buildx", "version"], capture_output=True)
    return plugin.returncode == 0 or (version is not None and int(version[1]) < 23)
