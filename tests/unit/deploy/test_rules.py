"""The check: silent on what we render, and each rule finds its fault, alone."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.deploy.lint.checking import check
from podium.deploy.lint.graph import Graph
from podium.deploy.lint.rules.table import CLASSES, RULES
from support.deployments import FULL, VARIETIES, added, changed, sets_of
from support.planted_faults import BLUE, FAULTS, in_container

CASES = [(rule, number) for rule, faults in FAULTS.items() for number in range(len(faults))]
# Faults with a consequence that another rule is right about too.
ALSO: dict[tuple[str, int], set[str]] = {
    ("port-service", 0): {"network-unreachable"},
    ("port-policy", 0): {"network-unreachable"},
    ("selector-nothing", 1): {"rollout-no-budget"},
    ("selector-nothing", 2): {"scaler-unscraped"},
    ("selector-nothing", 3): {"network-unreachable"},
    ("scaler-unscraped", 0): {"query-label"},
    ("rollout-quota", 0): {"resources-toleration"},
    ("resources-claim", 3): {"group-shared-memory"},
    ("query-series", 0): {"scaler-unwatched"},
    ("query-type", 0): {"scaler-unwatched"},
    ("query-syntax", 0): {"scaler-unwatched"},
    ("group-network", 0): {"port-policy"},
    ("mesh-job", 0): {"mesh-network"},
}


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    return sets_of(tmp_path_factory.mktemp("k8s"), FULL)["overlays/production"]


def _found(graph: Graph) -> set[str]:
    return {finding.rule for finding in check({"x": graph})}


@pytest.mark.parametrize("name", VARIETIES)
def test_nothing_is_found_in_what_we_render(name: str, tmp_path: Path) -> None:
    document, profile = VARIETIES[name]
    assert check(sets_of(tmp_path, document, profile)) == []


def test_every_rule_has_a_fault_that_it_finds() -> None:
    assert set(FAULTS) == {rule.id for rule in RULES}
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert len(CLASSES) == 16


@pytest.mark.parametrize(("rule", "number"), CASES)
def test_a_planted_fault_is_found_by_its_rule_alone(production: Graph, rule: str, number: int) -> None:
    found = _found(FAULTS[rule][number](production))
    assert rule in found
    assert found - {rule} == ALSO.get((rule, number), set())


def test_a_finding_says_where_what_why_and_what_to_do(production: Graph) -> None:
    (finding,) = check({"overlays/production": FAULTS["drain-grace"][1](production)})
    assert (finding.rule, finding.severity, finding.object) == ("drain-grace", "error", "Deployment/podium-blue")
    assert (finding.set, finding.file) == ("overlays/production", "base/deployment.yaml")
    assert finding.path == "spec.template.spec.terminationGracePeriodSeconds"
    assert finding.message == "305 < preStop 10 + longest stream 300"
    assert finding.why
    assert finding.fix


def test_of_a_stranger_s_server_a_long_answer_is_assumed(production: Graph) -> None:
    def change(value: dict[str, Any]) -> None:
        pod = value["spec"]["template"]["spec"]
        value["spec"]["template"]["metadata"].pop("annotations")
        pod["volumes"] = [volume for volume in pod["volumes"] if volume["name"] != "config"]
        pod["containers"][0]["volumeMounts"].pop(0)
        del pod["terminationGracePeriodSeconds"]

    (finding,) = check({"x": changed(production, "Deployment", change, BLUE)})
    assert finding.message == "30 < preStop 10 + longest stream 60"


HARMLESS: dict[str, Any] = {
    "a shell that makes way": lambda c: c.update(command=["sh", "-c", "exec podium serve"]),
    "the one capability that may return": lambda c: c["securityContext"]["capabilities"].update(
        add=["NET_BIND_SERVICE"]
    ),
    "a port by its number": lambda c: c["readinessProbe"]["httpGet"].update(port=8001),
    "a file name that sounds secret": lambda c: c["env"].append({"name": "KEY_TOKEN", "value": "/etc/podium/files/k"}),
    "a folder inside a mount": lambda c: c["env"].append({"name": "TORCH_HOME", "value": "/var/cache/podium/torch"}),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_looks_wrong_is_no_finding(production: Graph, name: str) -> None:
    assert _found(in_container(HARMLESS[name])(production)) == set()


STRANGERS: dict[str, dict[str, Any]] = {
    "a redirect, through which nobody streams": {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "to-https", "namespace": "podium"},
        "spec": {"rules": [{"filters": [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}}]}]},
    },
    "a Rollout whose pods are those of a Deployment": {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "of-another", "namespace": "podium"},
        "spec": {"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "elsewhere"}},
    },
}


@pytest.mark.parametrize("name", STRANGERS)
def test_what_a_stranger_may_have_is_no_finding(production: Graph, name: str) -> None:
    assert _found(added(production, STRANGERS[name])) == set()


def test_enough_quota_is_no_finding(production: Graph) -> None:
    graph = FAULTS["rollout-quota"][0](production)
    roomy = changed(graph, "ResourceQuota", lambda q: q["spec"]["hard"].update({"requests.nvidia.com/gpu": "50"}))
    assert "rollout-quota" not in _found(roomy)


def test_jobs_of_other_programs_are_theirs(production: Graph) -> None:
    rules = {"groups": [{"name": "a", "rules": [{"alert": "NodeDown", "expr": 'up{job="node-exporter"} == 0'}]}]}
    other = {"kind": "PrometheusRule", "metadata": {"name": "nodes", "namespace": "podium"}, "spec": rules}
    assert check({"x": added(production, other)}) == []


def _with_words(*args: str, gpus: int) -> Any:
    def change(container: dict[str, Any]) -> None:
        container["args"] = list(args)
        for side in ("requests", "limits"):
            container["resources"][side]["nvidia.com/gpu"] = gpus

    return in_container(change)


def test_sizes_of_parallelism_are_read_from_a_stranger_s_command_line(production: Graph) -> None:
    words = ("--tensor-parallel-size", "4", "--pipeline-parallel-size=2")
    assert "group-size" not in _found(_with_words(*words, gpus=8)(production))
    (finding,) = [each for each in check({"x": _with_words(*words, gpus=4)(production)}) if each.rule == "group-size"]
    assert finding.message == "8 GPUs for one copy, and 1 pods with 4 each"


def test_the_longest_stream_of_others_is_taken_from_their_configuration(production: Graph) -> None:
    """Without our annotation the mounted podium.yaml tells how long a server drains."""

    def change(value: dict[str, Any]) -> None:
        value["spec"]["template"]["metadata"]["annotations"].pop("podium/longest-stream-seconds")
        value["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 200

    assert _found(changed(production, "Deployment", change, BLUE)) == {"drain-grace"}


def _paths(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield above
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, below in steps:
        yield from _paths(below, (*above, step))


@given(st.data())
def test_whatever_stands_at_any_place_the_check_goes_on(production: Graph, data: st.DataObject) -> None:
    item = data.draw(st.sampled_from(production.items))
    path = data.draw(st.sampled_from([path for path in _paths(dict(item.value)) if path]))
    strange = data.draw(
        st.sampled_from([None, "", "x", 0, -1, 3.5, True, [], [None], ["x"], {}, {"x": "y"}, [{"x": 1}]])
    )

    def change(value: dict[str, Any]) -> None:
        place: Any = value
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = strange

    graph = Graph(tuple(each for each in production.items if each is not item))
    value = copy.deepcopy(dict(item.value))
    change(value)
    check({"x": added(graph, value)})


STRANGE: list[Any] = [
    {"kind": "Deployment"},
    {"kind": "Deployment", "spec": None, "metadata": None},
    {"kind": "Service", "spec": {"selector": "x", "ports": [1, None, {}]}},
    {"kind": "Deployment", "spec": {"template": {"spec": {"containers": [{}, "x", {"env": [{}]}], "volumes": 3}}}},
    {"kind": "HTTPRoute", "spec": {"rules": [{"backendRefs": [{}], "timeouts": 3}]}},
    {"kind": "ScaledObject", "spec": {"triggers": [{"type": "prometheus", "metadata": {}}], "scaleTargetRef": []}},
    {"kind": "NetworkPolicy", "spec": {"egress": [{"to": [{"ipBlock": {"cidr": "everywhere"}}]}], "podSelector": None}},
    {"kind": "PodDisruptionBudget", "spec": {"selector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}},
    {"kind": "PrometheusRule", "spec": {"groups": [{"rules": [{}]}]}},
    {"kind": "PodMonitor", "spec": {"podMetricsEndpoints": [{"relabelings": None}]}},
    {"kind": "ConfigMap", "metadata": {"labels": {"grafana_dashboard": "1"}},
     "data": {"a": "[]", "b": '{"panels": 3}'}},
    {"kind": "ConfigMap", "data": {"a.yaml": "podium: [", "b.yaml": "{pipeline: {inputs: podium, filters: 3}}",
     "c.yaml": "{sources: podium, sinks: [], transforms: {a: b}}"}},
    {"kind": "LeaderWorkerSet", "spec": {"leaderWorkerTemplate": {"size": "two", "workerTemplate": []}}},
    {"kind": "LeaderWorkerSet", "spec": {"leaderWorkerTemplate": {"leaderTemplate": {"spec": {"containers": [
     {"resources": {"claims": [1, {"name": None}]}}], "resourceClaims": "x"}}}}},
    {"kind": "ResourceClaimTemplate", "spec": {"spec": {"devices": {"requests": [1, {"exactly": {"count": "x"}}]}}}},
    {"kind": "Deployment", "spec": {"template": {"metadata": {"annotations": {"linkerd.io/inject": "enabled",
     "config.linkerd.io/shutdown-grace-period": 3}}}}},
    {"kind": "NetworkPolicy", "metadata": {"namespace": "podium"}, "spec": {"podSelector": {}, "ingress": [
     {"ports": [{"port": ["x"]}, {"port": {}}]}], "egress": [{"ports": [{"port": []}]}]}},
    {"kind": "Deployment", "metadata": {"namespace": "podium"}, "spec": {"template": {"metadata": {"annotations":
     {"linkerd.io/inject": ["x"]}}, "spec": {"resourceClaims": [{"name": ["x"]}], "containers": [
     {"resources": {"claims": [{"name": {}}], "limits": {"nvidia.com/gpu": ["x"]}}}]}}}},
    {"kind": "ResourceQuota", "spec": {"hard": {"requests.nvidia.com/gpu": "many"}}},
]  # fmt: skip


@pytest.mark.parametrize("value", STRANGE, ids=lambda value: value["kind"])
def test_a_stranger_s_object_may_be_anything(production: Graph, value: dict[str, Any]) -> None:
    check({"x": added(production, value)})
