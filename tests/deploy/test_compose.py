"""deploy/compose.yaml is a compose file, and says what the settings, the topics and the Dockerfile say."""

from __future__ import annotations

import copy
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
VARIABLE = re.compile(r"\$\{(\w+)(?::?([-?])([^${}]*))?\}")
"""An innermost one: what stands in for a value may hold others."""
OF_CONTAINERS = {"TOCSIN_STATE_DIR", "TOCSIN_LOGS_DIR", "TOCSIN_ARCHIVE_DIR", "TOCSIN_HEALTH_HOST", "GATEWAY_HOST"} | {
    name for name, place in names.NAMES.items() if place[0] == "ports" or place == ("gateway", "port")
}
"""Folders, ports and addresses inside of the containers, which are the image's to say."""
COMPOSED = "DATABASE_URL_FILE"
"""Never heeded: DATABASE_URL itself always stands there, made of POSTGRES_PASSWORD."""
TRACES = {
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
}
"""Read by OpenTelemetry itself (docs/traces.md). An empty one would count for it, hence none is made empty."""
MADE = {"POSTGRES_PASSWORD": "drawn", "JWT_SECRET": "j" * 40, "TOCSIN_LINK_SECRET": "l" * 40}


def example() -> dict[str, str]:
    """The lines of deploy/.env.example that hold, with secrets filled in."""
    lines = (FOLDER / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and line[0] != "#") | MADE


def filled(value: Any, given: dict[str, str]) -> str:
    """A value as compose makes it, from the innermost outwards; `:?` and `:-` take an empty value for none."""
    text = str(value)
    while VARIABLE.search(text):
        text = VARIABLE.sub(lambda one: given.get(one[1]) or (one[3] or "" if one[2] == "-" else ""), text)
    return text


def variables(text: str) -> dict[str, str]:
    """The names that a text takes from deploy/.env, each with its sign: `?` must be there, `-` has a stand-in."""
    found: dict[str, str] = {}
    while here := VARIABLE.findall(text):
        found |= {name: sign for name, sign, _ in here}
        text = VARIABLE.sub("", text)
    return found


def heeded() -> set[str]:
    """All names that compose takes from deploy/.env; one without a value is taken as it stands there, if it does."""
    told = [part.get("environment", {}) for part in PARTS.values()]
    return {*variables(TEXT), *(name for one in told for name, value in one.items() if value is None)}


def environment(part: str, given: dict[str, str] | None = None) -> dict[str, str]:
    """What a service finds in its environment, where deploy/.env is the example, or as `given`."""
    given = example() if given is None else given
    told = PARTS[part].get("environment", {}).items()
    there = {name: value for name, value in told if value is not None or name in given}
    return {name: given[name] if value is None else filled(value, given) for name, value in there.items()}


def judged(compose: dict[str, Any]) -> None:
    """Raises ValidationError where it is no compose file. Its models know neither x-, which any level may have, nor
    `required: false`, which is younger (compose 2.20)."""
    told = copy.deepcopy({key: value for key, value in compose.items() if not key.startswith("x-")})
    for part in told["services"].values():
        for how in part.get("depends_on", {}).values():
            how.pop("required", None)
    ComposeSpecification.model_validate(told)


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
    of_the_command = {"TOCSIN_URL", "TOCSIN_WAY"} if part == "tocsin" else set()
    assert told.keys() <= names.NAMES.keys() | TRACES | of_the_command
    config = {"TOCSIN_CONFIG": str(ROOT / "config/notifications.yml")}
    settings = load(tmp_path, told | config | {"GATEWAY_HOST": "0.0.0.0", "TOCSIN_HEALTH_HOST": "0.0.0.0"})
    assert settings.embedded == frozenset()
    assert settings.kafka.bootstrap_servers == "kafka:19092"
    if part in ("gateway", "tocsin"):
        assert settings.jwt.secret and not settings.gateway.demo


def test_every_setting_reaches_the_services() -> None:
    """What .env.notifications.example offers works in deploy/.env, too; who callers are only the gateway knows."""
    wanted = names.NAMES.keys() - OF_CONTAINERS - {COMPOSED} | TRACES
    told = {service: PARTS[service]["environment"].keys() - OF_CONTAINERS for service in (*SERVICES, "tocsin")}
    callers = {name for name in wanted if name.startswith(("JWT_", "GATEWAY_"))}
    assert told["gateway"] == told["tocsin"] - {"TOCSIN_URL", "TOCSIN_WAY"} == wanted
    others = [service for service in SERVICES if service != "gateway"]
    assert {service: told[service] for service in others} == dict.fromkeys(others, wanted - callers)


def test_servers_of_ones_own_are_named_in_the_env_file_alone(tmp_path: Path) -> None:
    """With the profile `services`, which starts no Kafka, PostgreSQL or Mailpit, and waits for none of them."""
    own = {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka-1:9093",
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_USERNAME": "tocsin",
        "KAFKA_SASL_PASSWORD_FILE": str(tmp_path / "password"),
        "DATABASE_URL": "postgresql://tocsin:secret@db:5432/tocsin",
        "SMTP_HOST": "relay",
    }
    (tmp_path / "password").write_text("secret\n")
    for part in SERVICES:
        settings = load(tmp_path, environment(part, example() | own))
        assert settings.kafka.bootstrap_servers == "kafka-1:9093" and settings.kafka.sasl_password == "secret"
        assert settings.database_url == own["DATABASE_URL"] and settings.smtp.host == "relay"
    started = {name for name, part in PARTS.items() if "services" in part["profiles"]}
    assert started == {*SERVICES, "migrate", "topics"}
    waited = {one: how for name in started for one, how in PARTS[name]["depends_on"].items()}
    assert {one for one, how in waited.items() if how.get("required", True)} <= started


def test_every_name_that_the_example_offers_is_heeded() -> None:
    text = (FOLDER / ".env.example").read_text()
    offered = set(re.findall(r"^#?([A-Z][A-Z_]+)=", text, re.MULTILINE)) - {"COMPOSE_PROFILES"}
    assert offered <= heeded()
    ours = names.NAMES.keys() | TRACES | {"KAFKA_CLUSTER_ID", "KAFKA_HEAP_OPTS"}
    assert heeded() - offered <= ours


def test_whatever_must_be_set_is_in_the_example() -> None:
    required = {name for name, sign in variables(TEXT).items() if sign == "?"}
    assert required and required <= example().keys()
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
    if_there = {"condition": "service_healthy", "required": False}
    assert PARTS["migrate"]["depends_on"] == {"postgres": if_there}
    assert PARTS["topics"]["depends_on"] == {"kafka": if_there}


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
    assert profiles == {"core", "services", "kafka", "postgres", "mail", "monitoring", "tools"}


def test_the_servers_are_the_versions_that_we_are_tried_with() -> None:
    assert PARTS["kafka"]["image"] == f"apache/kafka:{kafka.VERSION}"
    assert PARTS["postgres"]["image"].startswith(f"postgres:{postgres.VERSION}.")
    pulled = [part["image"] for part in PARTS.values() if "build" not in part]
    assert all(re.search(r":v?\d+\.\d+(\.\d+)?$", image) for image in pulled), pulled


def test_postgresql_is_set_as_the_one_that_we_are_tried_with(tmp_path: Path) -> None:
    """Connections for more than one of each; and no row that it refuses, with an address in it, in its log."""
    embedded = postgres.Postgres(tmp_path)._options()
    said = PARTS["postgres"]["command"]
    assert said[::2] == ["-c"] * (len(said) // 2)
    assert set(said[1::2]) <= set(embedded[1::2])
    assert {"max_connections=300", "log_error_verbosity=terse"} <= set(said[1::2])


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
