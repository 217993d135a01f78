"""Each service is whole with contracts, kit, itself and its own packages: what deploy/Dockerfile copies."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from contracts.topics import SERVICES
from deploy import probe
from kit.settings import names
from kit.settings.tree import GatewaySettings, PortSettings
from tests.deploy.requirements import FOLDER, installed_with, listed, modules_of, normal
from tests.lint.tree import ROOT, files

DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
LOOK = '''
import ast, importlib, pathlib, sys
left_out, service = set(sys.argv[1].split(",")), sys.argv[2]

class Alone:
    """Refuses what is installed here and would not be in the image."""
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in left_out:
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)

sys.meta_path.insert(0, Alone())
importlib.import_module(service)
ours = ("contracts", "kit", "services")
for module in [module for name, module in sys.modules.items() if name.partition(".")[0] in ours]:
    for node in ast.walk(ast.parse(pathlib.Path(module.__file__).read_text())):
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        else:
            continue
        for name in names:
            importlib.import_module(name)
'''
"""Imports a service, and then what its modules import only when they need it."""
LATER = {service: ["with_tracing.in"] for service in SERVICES} | {"sms_sender": ["with_aws.in", "with_tracing.in"]}
"""What brings modules that a service imports only where its settings ask for them."""


def copied(service: str) -> list[str]:
    """What the Dockerfile copies from the repository into the image of this service."""
    ground = DOCKERFILE[DOCKERFILE.index(" AS ground") : DOCKERFILE.index("FROM ground AS tools")]
    own = DOCKERFILE[DOCKERFILE.index("FROM ground AS service") :]
    lines = re.findall(r"^COPY (?!--from)(\S+) \S+$", ground + own, re.MULTILINE)
    return [line.replace("${SERVICE}", service) for line in lines]


@pytest.fixture
def image(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder with what lies below /app in the image of a service."""
    for place in copied(request.param):
        for path in files():
            if path == Path(place) or path.is_relative_to(place):
                to = tmp_path / (path.name if path == Path("deploy/probe.py") else path)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / path, to)
    return tmp_path


@pytest.mark.parametrize(("image", "service"), [(one, one) for one in SERVICES], indirect=["image"], ids=SERVICES)
def test_a_service_imports_with_nothing_else_present(image: Path, service: str) -> None:
    lists = [f"{service}.in", *LATER.get(service, [])]
    allowed = modules_of({name for one in lists for name in installed_with(listed(FOLDER / one))})
    assert {one.name for one in (image / "services").iterdir()} == {"__init__.py", service}
    done = alone(image, allowed, f"services.{service}.app")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("image", ["sms_sender"], indirect=True)
def test_a_package_that_is_not_listed_is_missed(image: Path) -> None:
    allowed = modules_of(installed_with(listed(FOLDER / "sms_sender.in")))
    done = alone(image, allowed - {"httpx"}, "services.sms_sender.app")
    assert "httpx is not in the image" in done.stderr


def alone(image: Path, allowed: set[str], module: str) -> subprocess.CompletedProcess[str]:
    """Imports `module` in `image`, where of all that is installed here only these top-level modules are."""
    left_out = {*packages_distributions(), "cli", "client", "deploy"} - allowed - {"contracts", "kit", "services"}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [sys.executable, "-c", LOOK, ",".join(sorted(left_out)), module],
        cwd=image,
        env=clean | {"PYTHONPATH": str(image)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.in")), ids=lambda file: file.name)
def test_what_an_image_has_is_of_the_locked_versions(file: Path) -> None:
    """The wheels of the image are those of the lock, so that a name outside it could not be installed."""
    locks = file.stem.removeprefix("with_") if file.stem.startswith("with_") else "runtime"
    locked = re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==", (ROOT / f"requirements/{locks}.txt").read_text(), re.MULTILINE)
    assert installed_with(listed(file)) <= {*map(normal, locked)}


def test_the_probe_knows_every_service_and_where_it_answers() -> None:
    usual = PortSettings()
    for service in SERVICES:
        variables, port = probe.PORTS[service]
        places = [names.NAMES[variable] for variable in variables]
        assert places == [("ports", service), ("gateway", "port")] if service == "gateway" else [("ports", service)]
        assert port == (usual.of(service) or GatewaySettings().port)
    assert set(probe.PORTS) == set(SERVICES)


def test_the_image_is_pinned_and_runs_as_nobody() -> None:
    pinned = re.findall(r"^ARG PYTHON=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert len(pinned) == 1 and re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", pinned[0])
    assert {*re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)} == {"${PYTHON}", "wheels", "ground"}
    assert "\nUSER 10001:10001\n" in DOCKERFILE
    assert "curl" not in DOCKERFILE


def test_the_build_gets_what_it_copies_and_nothing_else() -> None:
    """.dockerignore begins with everything, and takes out what the Dockerfile copies."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    allowed = {line[1:] for line in lines if line.startswith("!")}
    sources = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    wanted = {place.rstrip("/") for line in sources for place in line.split()}
    assert lines[0] == "*"
    assert {place for place in wanted if not any(Path(place).is_relative_to(one) for one in allowed)} == set()
    assert {one for one in allowed if not any(Path(place).is_relative_to(one) for place in wanted)} == set()
