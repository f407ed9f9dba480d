"""What a cluster of somebody's own demands beside the defaults: registries, nodes, names, tokens, collectors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from podium.deploy.lint.graph import Container, Graph, Workload
from support.command import environment
from support.deployments import FULL, ISTIO, OWN_WEIGHTS, VERSIONS, sets_of

HUB_TOKEN = "from huggingface_hub import get_token; print(get_token())"


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Graph]:
    return sets_of(tmp_path_factory.mktemp("k8s"), VERSIONS)


@pytest.fixture(scope="module")
def production(sets: dict[str, Graph]) -> Graph:
    return sets["overlays/production"]


def test_every_account_names_the_secret_by_which_images_are_pulled(sets: dict[str, Graph]) -> None:
    accounts = [item for graph in sets.values() for item in graph.of("ServiceAccount")]
    assert {item.name for item in accounts} >= {"podium", "podium-gateway", "podium-controller", "podium-weights"}
    assert [item.at("imagePullSecrets") for item in accounts] == [[{"name": "registry"}]] * len(accounts)


def test_servers_alone_are_placed(production: Graph) -> None:
    placed = {
        each.item.name: (pod.get("nodeSelector"), pod.get("priorityClassName"), pod.get("runtimeClassName"))
        for each in production.workloads
        for pod in [each.item.at("spec", "template", "spec")]
    }
    servers = {"podium-blue", "podium-green"}
    assert {placed[name] == ({"pool": "models"}, "serving", "nvidia") for name in servers} == {True}
    assert {placed[name] for name in set(placed) - servers} == {(None, None, None)}


def _with_token(containers: list[Container]) -> list[str]:
    return [
        each.value["name"] for each in containers if "HF_TOKEN_PATH" in each.env and "/etc/podium/hub" in each.mounts
    ]


def test_only_what_downloads_is_given_the_hub_s_token(sets: dict[str, Graph], tmp_path: Path) -> None:
    job = Workload(sets["weights"].of("Job")[0])
    assert _with_token(job.containers) == ["pull-1", "pull-2"]
    assert job.volumes["hub-token"]["secret"]["secretName"] == "hub"
    servers = [Workload(item) for item in sets["overlays/dev"].of("Deployment")]
    assert [_with_token(each.containers) for each in servers] == [[], [], []]
    own = {
        **OWN_WEIGHTS,
        "deploy": {**OWN_WEIGHTS["deploy"], "weights": {"kind": "init", "token_secret": "hub", "size": "4Gi"}},
    }
    server = Workload(sets_of(tmp_path, own)["overlays/dev"].of("Deployment")[0])
    assert _with_token(server.containers) == ["pull-1"]
    assert "hub" in str(server.item.at("metadata", "annotations", "podium/secrets-made-elsewhere"))


def test_the_hub_s_library_finds_the_token_there(sets: dict[str, Graph], tmp_path: Path) -> None:
    pull = Workload(sets["weights"].of("Job")[0]).containers[0]
    file = tmp_path / "token"
    file.write_text("hf_of_a_test\n")
    assert pull.env["HF_TOKEN_PATH"] == "/etc/podium/hub/token"
    variables = {**environment(), **pull.env, "HF_HOME": str(tmp_path), "HF_TOKEN_PATH": str(file)}
    variables.pop("HF_TOKEN", None)
    done = subprocess.run([sys.executable, "-c", HUB_TOKEN], env=variables, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "hf_of_a_test"


def test_every_pod_may_ask_the_node_s_own_resolver(sets: dict[str, Graph]) -> None:
    policies = [item for graph in sets.values() for item in graph.of("NetworkPolicy")]
    asking = [item for item in policies if item.name not in {"default-deny", "podium-redis"}]
    assert len(asking) > 3
    block = {"ipBlock": {"cidr": "169.254.20.10/32"}}
    assert [block in item.entries("spec", "egress")[0]["to"] for item in asking] == [True] * len(asking)


def test_a_balancer_that_is_no_pod_may_send_requests_to_what_faces_it(production: Graph, tmp_path: Path) -> None:
    network = {"client_addresses": ["35.191.0.0/16"]}
    split_by_a_route = sets_of(tmp_path, FULL, network=network)["overlays/production"]
    for graph, name in ((production, "podium-gateway"), (split_by_a_route, "podium")):
        policy = graph.find("NetworkPolicy", name, "podium")
        assert policy is not None
        assert {"ipBlock": {"cidr": "35.191.0.0/16"}} in policy.entries("spec", "ingress")[0]["from"]
    servers = production.find("NetworkPolicy", "podium", "podium")
    assert "ipBlock" not in str(servers.at("spec", "ingress") if servers else "ipBlock")


def test_a_gateway_may_live_apart_from_its_proxies(production: Graph, tmp_path: Path) -> None:
    (route,) = production.of("HTTPRoute")
    assert route.at("spec", "parentRefs") == [{"name": "public", "namespace": "infra"}]
    mesh = {**ISTIO, "deploy": {**ISTIO["deploy"], "route": {"kind": "istio", "gateway_namespace": "infra"}}}
    (service,) = sets_of(tmp_path, mesh)["overlays/production"].of("VirtualService")
    assert service.at("spec", "gateways") == ["infra/public"]


@pytest.mark.parametrize("name", ["podium-config", "podium-config-green", "podium-gateway-config"])
def test_where_traces_go_is_told_to_all_who_send_some(name: str, production: Graph) -> None:
    config = production.find("ConfigMap", name, "podium")
    assert config is not None
    assert yaml.safe_load(config.at("data", "podium.yaml"))["telemetry"] == VERSIONS["telemetry"]


def test_the_controller_tells_of_what_only_its_own_monitor_sees(production: Graph) -> None:
    config = production.find("ConfigMap", "podium-gateway-config", "podium")
    controller = next(each for each in production.workloads if each.item.name == "podium-controller")
    assert config is not None
    told = yaml.safe_load(config.at("data", "podium.yaml"))["monitor"]
    assert told == {**VERSIONS["monitor"], "history_file": "/var/lib/podium/alerts.jsonl"}
    assert "/etc/podium/files" in controller.serving[0].mounts
    policy = production.find("NetworkPolicy", "podium-controller", "podium")
    assert policy is not None
    assert [{"protocol": "TCP", "port": 9000}] in [rule["ports"] for rule in policy.entries("spec", "egress")]


def test_alerts_link_to_the_page_that_those_who_are_woken_can_open(production: Graph) -> None:
    rules = [
        rule
        for item in production.of("PrometheusRule")
        for group in item.entries("spec", "groups")
        for rule in group["rules"]
        if "alert" in rule
    ]
    assert len(rules) > 20
    assert {rule["annotations"]["runbook_url"].partition("#")[0] for rule in rules} == {"https://wiki.example/runbooks"}
