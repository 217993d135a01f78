"""deploy/kubernetes is what Kubernetes takes, and says what the settings, the topics and the images say."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from cli.ways import KUBERNETES, TOLD
from contracts.topics import BY_NAME, GROUPS, SERVICES
from kit.service.shell import GRACE_SECONDS, TAIL_SECONDS
from kit.settings import load, names
from kit.settings.tree import GatewaySettings, KafkaSettings, PortSettings
from tests.deploy.kustomize import Manifest, render
from tests.lint.tree import ROOT

FOLDER = ROOT / "deploy/kubernetes"
BASE, EXAMPLE = render(FOLDER / "base"), render(FOLDER / "overlays/example")
OLDEST, NEWEST = "1.30", kubernetes_validate.latest_version()
"""Kubernetes 1.30 brought `lifecycle.preStop.sleep` to everybody."""
KEDA = {"scaleTargetRef", "minReplicaCount", "maxReplicaCount", "advanced", "triggers"}
KAFKA_TRIGGER = {"bootstrapServersFromEnv", "offsetResetPolicy", "limitToPartitionsWithLag"} | {
    "consumerGroup",
    "topic",
    "lagThreshold",
}
"""What we use of ScaledObject and of the Kafka scaler (keda.sh/docs); compared with KEDA's definition of 2026."""
SECRETS = {
    "DATABASE_URL": "postgresql://tocsin:secret@postgres:5432/tocsin",
    "TOCSIN_LINK_SECRET": "l" * 40,
    "SMTP_PASSWORD": "secret",
}


def of_kind(kind: str, manifests: list[Manifest] = EXAMPLE) -> Iterator[Manifest]:
    return (one for one in manifests if one["kind"] == kind)


def pods() -> dict[str, Manifest]:
    """The templates of all pods, by the name of what makes them."""
    return {one["metadata"]["name"]: one["spec"]["template"] for kind in ("Deployment", "Job") for one in of_kind(kind)}


def container(pod: Manifest) -> Manifest:
    [one] = pod["spec"]["containers"]
    return dict(one)


def chosen(selector: Manifest) -> set[str]:
    """The names of those whose pods a selector chooses."""
    wanted = selector.get("matchLabels", selector).items()
    return {name for name, pod in pods().items() if wanted <= pod["metadata"]["labels"].items()}


def kubernetes_name(service: str) -> str:
    return service.replace("_", "-")


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("manifests", [BASE, EXAMPLE], ids=["base", "example"])
def test_kubernetes_knows_every_word(manifests: list[Manifest], version: str) -> None:
    for manifest in manifests:
        if manifest["kind"] != "ScaledObject":
            kubernetes_validate.validate(manifest, version, strict=True)


def test_a_slip_in_a_manifest_is_found() -> None:
    manifest = copy.deepcopy(next(of_kind("Deployment")))
    container(manifest["spec"]["template"])["livenessProbe"]["httpGett"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, NEWEST, strict=True)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_answers_where_its_settings_say(service: str) -> None:
    pod = pods()[kubernetes_name(service)]
    one = container(pod)
    assert one["image"].rpartition(":")[0].endswith(f"tocsin/{service}")
    usual, told = PortSettings(), {each["name"]: each.get("value") for each in one.get("env", [])}
    health = usual.of(service) or int(told["TOCSIN_GATEWAY_HEALTH_PORT"])
    ports = {each["name"]: each["containerPort"] for each in one["ports"]}
    assert ports == {"health": health} | ({"http": GatewaySettings().port} if service == "gateway" else {})
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(health)
    probes = {name: one[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {name: probe["port"] for name, probe in probes.items()} == dict.fromkeys(probes, "health")
    assert probes["readinessProbe"]["path"] == "/health/ready" and probes["livenessProbe"]["path"] == "/health/live"
    assert one["resources"]["requests"].keys() == {"cpu", "memory"} and "memory" in one["resources"]["limits"]


@pytest.mark.parametrize("name", pods())
def test_a_pod_may_do_no_more_than_it_must(name: str) -> None:
    """Pod Security Standards, `restricted`, and a file system that is only read."""
    pod = pods()[name]["spec"]
    may, one = pod["securityContext"], container(pods()[name])["securityContext"]
    assert may["runAsNonRoot"] and may["seccompProfile"] == {"type": "RuntimeDefault"}
    assert f"USER {may['runAsUser']}:{may['runAsGroup']}" in (ROOT / "deploy/Dockerfile").read_text()
    assert one["readOnlyRootFilesystem"] and not one["allowPrivilegeEscalation"]
    assert one["capabilities"] == {"drop": ["ALL"]}
    assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False
    assert {volume["name"] for volume in pod["volumes"]} == {
        mount["name"] for mount in container(pods()[name])["volumeMounts"]
    }


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_time_to_end(service: str) -> None:
    pod = pods()[kubernetes_name(service)]["spec"]
    waits = container({"spec": pod}).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    assert pod["terminationGracePeriodSeconds"] > waits + GRACE_SECONDS + TAIL_SECONDS


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_spread_and_never_gone_as_a_whole(service: str) -> None:
    name = kubernetes_name(service)
    spread = pods()[name]["spec"]["topologySpreadConstraints"]
    assert {one["topologyKey"] for one in spread} == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
    assert all(chosen(one["labelSelector"]) == {name} for one in spread)
    [budget] = [one["spec"] for one in of_kind("PodDisruptionBudget") if one["metadata"]["name"] == name]
    assert budget["maxUnavailable"] == 1 and chosen(budget["selector"]) == {name}
    [deployment] = [one["spec"] for one in of_kind("Deployment") if one["metadata"]["name"] == name]
    assert chosen(deployment["selector"]) == {name}
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0 and "replicas" not in deployment


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_scales_on_the_lag_of_its_own_group(service: str) -> None:
    """By topics that this group reads, and never beyond the partitions."""
    name = kubernetes_name(service)
    [scaled] = [one for one in of_kind("ScaledObject") if one["metadata"]["name"] == name]
    assert scaled["apiVersion"] == "keda.sh/v1alpha1" and scaled["spec"].keys() - {"fallback"} == KEDA
    assert scaled["spec"]["scaleTargetRef"] == {"name": name, "envSourceContainerName": "tocsin"}
    assert 2 <= scaled["spec"]["minReplicaCount"] <= scaled["spec"]["maxReplicaCount"] <= KafkaSettings().partitions
    triggers = [one["metadata"] for one in scaled["spec"]["triggers"] if one["type"] == "kafka"]
    [group] = [group for group in GROUPS if group.name == service]
    assert {one["consumerGroup"] for one in triggers} == {group.name}
    assert {one["topic"] for one in triggers} <= {topic.name for topic in group.topics if topic.busy}
    assert all(one.keys() == KAFKA_TRIGGER and isinstance(one["lagThreshold"], str) for one in triggers)
    urgency = [int(one["lagThreshold"]) for one in triggers if BY_NAME[one["topic"]].lane]
    assert urgency == sorted(urgency)
    if service not in ("scheduler", "gateway"):
        assert {one["topic"] for one in triggers} == {topic.name for topic in group.topics}


def test_keda_takes_every_fallback() -> None:
    """As `CheckFallbackValid` of KEDA 2.14 to 2.16 judges: beside no processor, and by averages that are called so."""
    scaled = {one["metadata"]["name"]: one["spec"] for one in of_kind("ScaledObject")}
    backed = {name for name, spec in scaled.items() if "fallback" in spec}
    assert backed == scaled.keys() - {"gateway"}
    for name in backed:
        assert {(one["type"], one.get("metricType")) for one in scaled[name]["triggers"]} == {("kafka", "AverageValue")}


def test_the_job_migrates_and_makes_topics() -> None:
    [job] = of_kind("Job")
    one = container(job["spec"]["template"])
    assert one["command"] == ["sh", "-c", "tocsin migrate && tocsin topics --make"]
    assert one["image"].rpartition(":")[0].endswith("tocsin/tools")
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "OnFailure"


def test_the_command_waits_for_somebody_who_asks() -> None:
    """It knows where the gateway is, and how things are started here; none runs by itself."""
    [tools] = [one for one in of_kind("Deployment") if one["metadata"]["name"] == "tools"]
    assert tools["spec"]["replicas"] == 0
    one = container(tools["spec"]["template"])
    told = {each["name"]: each.get("value") for each in one["env"]}
    [service] = [each for each in of_kind("Service") if each["metadata"]["name"] == "gateway"]
    assert told["TOCSIN_URL"] == f"http://{service['metadata']['name']}" and service["spec"]["ports"][0]["port"] == 80
    assert TOLD[told["TOCSIN_WAY"] or ""] is KUBERNETES
    assert "livenessProbe" not in one and one["image"].rpartition(":")[0].endswith("tocsin/tools")


def test_every_policy_speaks_of_pods_that_are_there_and_of_their_ports() -> None:
    for policy in of_kind("NetworkPolicy"):
        about = chosen(policy["spec"]["podSelector"])
        assert about, policy["metadata"]["name"]
        asked = {port["port"] for way in policy["spec"].get("ingress", []) for port in way["ports"]}
        by_name = {port for port in asked if isinstance(port, str)}
        assert asked - by_name <= {PortSettings().returned_mail}
        for name in about:
            assert by_name <= {port["name"] for port in container(pods()[name]).get("ports", [])}


def ways_out(name: str) -> Iterator[Manifest]:
    """What the pods of this name may open connections to."""
    for policy in of_kind("NetworkPolicy"):
        if name in chosen(policy["spec"]["podSelector"]):
            yield from policy["spec"].get("egress", [])


def test_nothing_goes_out_but_where_it_must() -> None:
    """Each kind by the ports it may speak to, beside Kafka, PostgreSQL and DNS, which all have."""
    anywhere = {
        name: {port for way in ways_out(name) if "to" not in way for one in way["ports"] for port in numbers(one)}
        for name in pods()
    }
    everybody = {53, *range(9092, 9099), 5432, 6432}
    service = everybody | {4318}
    assert anywhere == {
        "prepare": everybody,
        "intake": service,
        "scheduler": service,
        "email-sender": service | {25, 465, 587, 2525},
        "sms-sender": service | {443},
        "gateway": service | {443},
        "tools": everybody | {25, 465, 587, 2525, 443},
    }
    [to_the_gateway] = [way for way in ways_out("tools") if "to" in way]
    [whom] = to_the_gateway["to"]
    assert chosen(whom["podSelector"]) == {"gateway"} and to_the_gateway["ports"][0]["port"] == GatewaySettings().port
    [all_of_us] = [one for one in of_kind("NetworkPolicy") if one["metadata"]["name"] == "tocsin"]
    assert chosen(all_of_us["spec"]["podSelector"]) == set(pods()) and "ingress" not in all_of_us["spec"]


def numbers(port: Manifest) -> range:
    return range(port["port"], port.get("endPort", port["port"]) + 1)


def test_webhooks_go_out_into_the_world_and_into_no_house() -> None:
    """At any port, as the gateway itself takes any; what it takes for private is closed here, too."""
    [way] = [one for one in ways_out("gateway") if "to" in one]
    assert "ports" not in way
    blocks = [one["ipBlock"] for one in way["to"]]
    closed = [ip_network(net) for one in blocks for net in one["except"]]
    assert {one["cidr"] for one in blocks} == {"0.0.0.0/0", "::/0"}
    for inside in ("10.0.0.1", "172.20.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "127.0.0.1", "fd00::1"):
        assert any(ip_address(inside) in net for net in closed if net.version == ip_address(inside).version), inside


def test_mail_that_comes_back_finds_the_email_sender() -> None:
    [service] = [one for one in of_kind("Service") if one["metadata"]["name"] == "email-sender"]
    [port] = service["spec"]["ports"]
    assert chosen(service["spec"]["selector"]) == {"email-sender"}
    assert port["targetPort"] == PortSettings().returned_mail
    [policy] = [one for one in of_kind("NetworkPolicy") if one["metadata"]["name"] == "returned-mail"]
    assert policy["spec"]["ingress"][0]["ports"] == [{"port": port["targetPort"], "protocol": "TCP"}]


def test_the_gateway_is_reached_through_its_service() -> None:
    [service] = [one for one in of_kind("Service") if one["metadata"]["name"] == "gateway"]
    [ingress] = of_kind("Ingress")
    assert chosen(service["spec"]["selector"]) == {"gateway"}
    [port] = service["spec"]["ports"]
    assert port["targetPort"] == "http"
    [rule] = ingress["spec"]["rules"]
    [path] = rule["http"]["paths"]
    assert path["backend"] == {"service": {"name": service["metadata"]["name"], "port": {"name": port["name"]}}}


def test_secrets_are_named_and_never_written() -> None:
    assert list(of_kind("Secret")) == []
    referred = {
        source["secretRef"]["name"]
        for pod in pods().values()
        for source in container(pod)["envFrom"]
        if "secretRef" in source
    }
    assert referred == {"tocsin"}
    with_tokens = {name for name, pod in pods().items() if "env" in container(pod)}
    assert with_tokens == {"gateway", "tools"}
    for name in with_tokens:
        [token] = [one for one in container(pods()[name])["env"] if "valueFrom" in one]
        assert token["name"] == token["valueFrom"]["secretKeyRef"]["key"] == "JWT_SECRET"


def settings_of(manifests: list[Manifest]) -> dict[str, dict[str, str]]:
    return {one["metadata"]["name"]: one["data"] for one in of_kind("ConfigMap", manifests)}


@pytest.mark.parametrize("manifests", [BASE, EXAMPLE], ids=["base", "example"])
def test_every_setting_is_one_of_ours(manifests: list[Manifest]) -> None:
    assert settings_of(manifests)["tocsin-settings"].keys() <= names.NAMES.keys()


def test_the_settings_of_the_example_are_good(tmp_path: Path) -> None:
    told = settings_of(EXAMPLE)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/notifications.yml").write_text(told["tocsin-config"]["notifications.yml"])
    settings = load(tmp_path, told["tocsin-settings"] | SECRETS)
    assert settings.embedded == frozenset() and settings.warnings == ()
    assert settings.kafka.replication == 3


def test_what_pods_mount_and_read_is_made() -> None:
    made = settings_of(EXAMPLE)
    for pod in pods().values():
        maps = {volume["configMap"]["name"] for volume in pod["spec"]["volumes"] if "configMap" in volume}
        maps |= {source["configMapRef"]["name"] for source in container(pod)["envFrom"] if "configMapRef" in source}
        assert maps == made.keys()
        assert pod["spec"]["serviceAccountName"] in {one["metadata"]["name"] for one in of_kind("ServiceAccount")}


def test_what_goes_first_can_be_chosen() -> None:
    """`-l component in (settings, prepare)` has all that the job needs."""
    first = {"settings", "prepare"}
    kinds = {one["kind"] for one in EXAMPLE if one["metadata"]["labels"].get("app.kubernetes.io/component") in first}
    assert kinds == {"Namespace", "ServiceAccount", "ConfigMap", "NetworkPolicy", "Job"}


def test_images_carry_our_version() -> None:
    version: Any = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert {container(pod)["image"].rpartition(":")[2] for pod in pods().values()} == {version[1]}
