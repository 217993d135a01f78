"""deploy/compose.yaml is a compose file, and says what the settings, the topics and the Dockerfile say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_pydantic import ComposeSpecification
from pydantic import ValidationError

from contracts.topics import SERVICES
from deploy.local import kafka, postgres
from kit.service.shell import GRACE_SECONDS, TAIL_SECONDS
from kit.settings import load, names
from kit.settings.tree import GatewaySettings, PortSettings
from tests.lint.tree import ROOT

FOLDER = ROOT / "deploy"
TEXT = (FOLDER / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
PARTS: dict[str, dict[str, Any]] = COMPOSE["services"]
VARIABLE = re.compile(r"\$\{(\w+)(?::?([-?])([^}]*))?\}")
OF_SERVERS = {"TOCSIN_KAFKA_PORT", "TOCSIN_MAIL_PAGE_PORT", "TOCSIN_MAIL_SMTP_PORT", "TOCSIN_RETURNED_MAIL_PORT"}
"""Names of ours that move a port of this machine; inside its container each part keeps its own."""
MADE = {"POSTGRES_PASSWORD": "drawn", "JWT_SECRET": "j" * 40, "TOCSIN_LINK_SECRET": "l" * 40}


def example() -> dict[str, str]:
    """The lines of deploy/.env.example that hold, with secrets filled in."""
    lines = (FOLDER / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and line[0] != "#") | MADE


def filled(value: Any, given: dict[str, str]) -> str:
    """A value as compose makes it; `:?` and `:-` take an empty value for none."""
    return VARIABLE.sub(lambda one: given.get(one[1]) or (one[3] or "" if one[2] == "-" else ""), str(value))


def environment(part: str) -> dict[str, str]:
    """What a service finds in its environment, where deploy/.env is the example."""
    return {name: filled(value, example()) for name, value in PARTS[part].get("environment", {}).items()}


def judged(compose: dict[str, Any]) -> None:
    """Raises ValidationError where it is no compose file. Its models know of no x-, which any level may have."""
    ComposeSpecification.model_validate({key: value for key, value in compose.items() if not key.startswith("x-")})


def test_it_is_a_compose_file() -> None:
    judged(COMPOSE)


@pytest.mark.parametrize("slip", [{"restrat": "always"}, {"depends_on": {"migrate": {"condition": "done"}}}])
def test_a_slip_in_it_is_found(slip: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        judged(COMPOSE | {"services": PARTS | {"intake": PARTS["intake"] | slip}})


@pytest.mark.parametrize("part", [*SERVICES, "migrate", "topics", "tocsin"])
def test_the_settings_that_a_part_gets_are_good(part: str, tmp_path: Path) -> None:
    """Each name is one of ours, and together they can work: in the container nothing else speaks of settings."""
    told = environment(part)
    assert told.keys() <= names.NAMES.keys()
    config = {"TOCSIN_CONFIG": str(ROOT / "config/notifications.yml")}
    settings = load(tmp_path, told | config | {"GATEWAY_HOST": "0.0.0.0", "TOCSIN_HEALTH_HOST": "0.0.0.0"})
    assert settings.embedded == frozenset()
    assert settings.kafka.bootstrap_servers == "kafka:19092"
    if part in ("gateway", "tocsin"):
        assert settings.jwt.secret and not settings.gateway.demo


def test_every_name_that_the_example_offers_is_heeded_and_the_other_way_round() -> None:
    text = (FOLDER / ".env.example").read_text()
    offered = set(re.findall(r"^#?([A-Z][A-Z_]+)=", text, re.MULTILINE)) - {"COMPOSE_PROFILES"}
    heeded = {name for name, _, _ in VARIABLE.findall(TEXT)}
    assert offered - heeded == set()
    assert {name for name in heeded if name.isupper() and name not in offered} <= names.NAMES.keys() | {
        "KAFKA_CLUSTER_ID",
        "KAFKA_HEAP_OPTS",
    }


def test_whatever_must_be_set_is_in_the_example() -> None:
    required = {name for name, sign, _ in VARIABLE.findall(TEXT) if sign == "?"}
    assert required <= example().keys()
    assert {name for name in required if not example()[name]} == set()


def test_the_ports_are_those_of_the_settings() -> None:
    """Inside each container; which of this machine's they are is for deploy/.env to say."""
    inside = {name: {int(port.rpartition(":")[2]) for port in one.get("ports", [])} for name, one in PARTS.items()}
    ports = PortSettings()
    assert inside["gateway"] == {GatewaySettings().port}
    assert inside["kafka"] == {ports.kafka}
    assert inside["mailpit"] == {ports.mail_smtp, ports.mail_page}
    assert inside["email_sender"] == {ports.returned_mail}
    published = [port for one in PARTS.values() for port in one.get("ports", [])]
    assert all(re.fullmatch(r"127\.0\.0\.1:\$\{\w+:-(\d+)\}:\1", port) for port in published), published


def test_prometheus_looks_where_each_service_answers() -> None:
    """deploy/prometheus names the services as compose does, at the ports of their health."""
    config = yaml.safe_load((FOLDER / "prometheus/prometheus.yml").read_text())
    looked = {one["job_name"]: one["static_configs"][0]["targets"] for one in config["scrape_configs"]}
    ports = {one: PortSettings().of(one) or environment(one)["TOCSIN_GATEWAY_HEALTH_PORT"] for one in SERVICES}
    assert {name: looked[name] for name in SERVICES} == {name: [f"{name}:{port}"] for name, port in ports.items()}


def test_services_come_after_the_database_and_the_topics() -> None:
    for service in SERVICES:
        after = PARTS[service]["depends_on"]
        assert after == {one: {"condition": "service_completed_successfully"} for one in ("migrate", "topics")}
    assert PARTS["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert PARTS["topics"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_confined_and_has_time_to_end(service: str) -> None:
    part = PARTS[service]
    assert part["read_only"] and part["cap_drop"] == ["ALL"] and part["security_opt"] == ["no-new-privileges:true"]
    assert int(part["stop_grace_period"].removesuffix("s")) > GRACE_SECONDS + TAIL_SECONDS
    assert part["build"]["args"]["SERVICE"] == service and part["build"]["dockerfile"] == "deploy/Dockerfile"


def test_all_that_lives_on_has_a_health_check() -> None:
    """Ours have theirs in the image."""
    lasting = {name for name, part in PARTS.items() if part.get("restart") == "unless-stopped" and "build" not in part}
    assert {name for name in lasting - {"kafka-ui"} if "healthcheck" not in PARTS[name]} == set()


def test_all_parts_have_a_profile() -> None:
    profiles = {profile for part in PARTS.values() for profile in part["profiles"]}
    assert profiles == {"core", "monitoring", "tools"}


def test_the_servers_are_the_versions_that_we_are_tried_with() -> None:
    assert PARTS["kafka"]["image"] == f"apache/kafka:{kafka.VERSION}"
    assert PARTS["postgres"]["image"].startswith(f"postgres:{postgres.VERSION}.")
    pulled = [part["image"] for part in PARTS.values() if "build" not in part]
    assert all(re.search(r":v?\d+\.\d+(\.\d+)?$", image) for image in pulled), pulled


def test_our_images_are_tagged_with_our_version() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    ours = [part["image"] for part in PARTS.values() if "build" in part]
    assert version and all(image.endswith(f":${{TAG:-{version[1]}}}") for image in ours)
    assert example()["TAG"] == version[1]


def test_what_is_mounted_is_there() -> None:
    mounted = {volume.split(":")[0] for part in PARTS.values() for volume in part.get("volumes", [])}
    named = {place for place in mounted if not place.startswith(".")}
    assert named == COMPOSE["volumes"].keys()
    assert {place for place in mounted - named if not (FOLDER / place).exists()} == set()
