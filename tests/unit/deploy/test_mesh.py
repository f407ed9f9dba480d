"""Linkerd beside our pods: the proxy outlives the drain, and probes, metrics and Redis go past it."""

from __future__ import annotations

from pathlib import Path

import pytest

from podium.deploy.lint.graph import Graph, Workload
from support.deployments import GATEWAYS, MESHED, SMALL, sets_of

PREFIX = "config.linkerd.io/"


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    return sets_of(tmp_path_factory.mktemp("k8s"), MESHED)["overlays/production"]


def _of(graph: Graph, name: str) -> Workload:
    return Workload(next(item for item in graph.of("Deployment") if item.name == name))


@pytest.mark.parametrize("name", ["podium-blue", "podium-gateway"])
def test_the_proxy_is_a_native_sidecar_that_waits_as_long_as_the_pod_may(production: Graph, name: str) -> None:
    pod = _of(production, name)
    said = pod.annotations
    assert (said["linkerd.io/inject"], said["config.beta.linkerd.io/proxy-enable-native-sidecar"]) == (
        "enabled",
        "true",
    )
    assert said[f"{PREFIX}shutdown-grace-period"] == f"{pod.pod['terminationGracePeriodSeconds']}s"
    assert {name for name in said if "proxy-memory" in name} == {
        f"{PREFIX}proxy-memory-{s}" for s in ("request", "limit")
    }


def test_probes_metrics_and_what_has_no_proxy_go_past_it(production: Graph) -> None:
    def ports(name: str) -> tuple[str, str]:
        said = _of(production, name).annotations
        return said[f"{PREFIX}skip-inbound-ports"], said[f"{PREFIX}skip-outbound-ports"]

    assert ports("podium-blue") == ("8001", "6379")
    assert ports("podium-gateway") == ("9902", "18000")


def test_without_redis_nothing_is_skipped_on_the_way_out(tmp_path: Path) -> None:
    graph = sets_of(tmp_path, SMALL, mesh={"kind": "linkerd"})["overlays/production"]
    assert f"{PREFIX}skip-outbound-ports" not in _of(graph, "podium-blue").annotations


def test_policies_open_the_proxy_s_ports_and_without_a_mesh_they_do_not(production: Graph, tmp_path: Path) -> None:
    def ports(graph: Graph, way: str) -> set[object]:
        policy = graph.find("NetworkPolicy", "podium", "podium")
        assert policy is not None
        return {port["port"] for rule in policy.entries("spec", way) for port in rule["ports"]}

    plain = sets_of(tmp_path, {**GATEWAYS, "telemetry": MESHED["telemetry"]})["overlays/production"]
    assert ports(production, "ingress") - ports(plain, "ingress") == {4143}
    assert ports(production, "egress") - ports(plain, "egress") == {
        8080,
        8086,
        8090,
        4143,
    }  # the last: a collector may have a proxy
    assert not [name for name in _of(plain, "podium-blue").annotations if "linkerd" in name]
