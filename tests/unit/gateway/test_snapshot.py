"""What Envoy is told, and what Podium does not tell it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from podium.core.errors import ConfigurationError
from podium.gateway.resources import CLUSTER, ENDPOINT, LISTENER, ORDER, ROUTE, documents, resources
from podium.gateway.snapshot import build, snapshot_of
from podium.gateway.topology import Environment, Topology
from support.source import ROOT
from support.topologies import topology

GOLDEN = ROOT / "tests/golden/gateway.json"


def built(**changed: Any) -> None:
    """Build a snapshot of the usual documents with some of them replaced."""
    rendered = documents(topology())
    names = {"clusters": CLUSTER, "endpoints": ENDPOINT, "listeners": LISTENER, "routes": ROUTE}
    build(resources({**rendered, **{names[name]: value for name, value in changed.items()}}))


def split_of(wanted: Topology) -> Any:
    routes = documents(wanted)[ROUTE][0]["virtual_hosts"][0]["routes"]
    return routes[-1]["route"]["weighted_clusters"]["clusters"]


def test_what_envoy_is_told_is_the_golden_file() -> None:
    """Read a difference as a change of the data plane; ``json.dumps(documents(topology()), indent=1)`` is the file."""
    assert json.loads(GOLDEN.read_text()) == documents(topology())


def test_the_same_topology_has_the_same_versions_and_bytes() -> None:
    assert snapshot_of(topology()).versions == snapshot_of(topology()).versions
    assert snapshot_of(topology()).packed == snapshot_of(topology()).packed


def test_every_process_gives_the_same_content_the_same_version() -> None:
    """Else a controller that begins anew would replace the listener, and drain its streams."""
    code = (
        "from podium.gateway.snapshot import snapshot_of; from support.topologies import topology; "
        "print(snapshot_of(topology()).version)"
    )
    paths = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}", "PATH": "/usr/bin:/bin"}
    said = {
        subprocess.run([sys.executable, "-c", code], env=paths, capture_output=True, text=True, check=True).stdout
        for _ in range(4)
    }
    assert said == {snapshot_of(topology()).version + "\n"}


def test_a_change_of_weights_touches_the_routes_only() -> None:
    before, after = snapshot_of(topology()), snapshot_of(topology({"blue": 90, "green": 10}))
    assert [kind for kind in ORDER if before.versions[kind] != after.versions[kind]] == [ROUTE]
    assert before.version != after.version


@pytest.mark.parametrize("weights", [{"blue": 100}, {"green": 100}, {"green": 0.01, "blue": 99.99}])
def test_total_and_order_of_the_split_never_change(weights: dict[str, float]) -> None:
    split = split_of(topology(weights))
    assert [entry["name"] for entry in split] == ["blue", "green_shielded"]
    assert sum(entry["weight"] for entry in split) == 10_000


def test_every_environment_but_the_stable_one_is_shielded_by_it() -> None:
    shields = [cluster for cluster in documents(topology())[CLUSTER] if "cluster_type" in cluster]
    assert [shield["name"] for shield in shields] == ["green_shielded"]
    assert shields[0]["cluster_type"]["typed_config"]["clusters"] == [{"name": "green"}, {"name": "blue"}]
    assert shields[0]["circuit_breakers"]["thresholds"][0]["max_retries"] == 4096


def test_environments_differ_in_nothing_but_name_and_servers() -> None:
    blue, green = (dict(cluster) for cluster in documents(topology())[CLUSTER][:2])
    assert (blue.pop("name"), green.pop("name")) == ("blue", "green")
    assert blue == green


def test_a_named_host_is_looked_up_by_its_cluster() -> None:
    blue, green = topology().environments
    named = replace(
        topology(), environments=(blue, Environment("green", (replace(green.endpoints[0], host="far"),), "/"))
    )
    clusters = {cluster["name"]: cluster for cluster in documents(named)[CLUSTER]}
    assert clusters["blue"]["type"] == "EDS"
    assert clusters["green"]["type"] == "STRICT_DNS"
    assert [entry["cluster_name"] for entry in documents(named)[ENDPOINT]] == ["blue"]


@pytest.mark.parametrize("kind", ["clusters", "listeners", "routes"])
def test_an_empty_list_is_refused(kind: str) -> None:
    with pytest.raises(ConfigurationError, match="takes it down"):
        built(**{kind: []})


def test_a_route_to_an_unknown_cluster_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="unknown cluster, 'green'; there are blue"):
        built(clusters=documents(topology())[CLUSTER][:1])


def test_weights_with_another_total_are_refused() -> None:
    routes = documents(topology())[ROUTE]
    routes[0]["virtual_hosts"][0]["routes"][-1]["route"]["weighted_clusters"]["clusters"][0]["weight"] = 1
    with pytest.raises(ConfigurationError, match="together 1; they should be 10000"):
        built(routes=routes)


def test_an_environment_without_servers_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'blue' has no endpoint"):
        built(endpoints=[{"cluster_name": "blue", "endpoints": []}])


def test_when_the_roles_change_no_share_no_order_and_no_listener_does() -> None:
    """What a user's hash is compared with is the same; only the shields differ."""
    before, after = topology({"blue": 30, "green": 70}), replace(topology({"blue": 30, "green": 70}), stable="green")
    assert [entry["weight"] for entry in split_of(before)] == [entry["weight"] for entry in split_of(after)]
    assert [entry["name"] for entry in split_of(before)] == ["blue", "green_shielded"]
    assert [entry["name"] for entry in split_of(after)] == ["blue_shielded", "green"]
    assert snapshot_of(before).versions[LISTENER] == snapshot_of(after).versions[LISTENER]


def test_the_shield_of_before_stays_until_no_route_leads_to_it() -> None:
    changing = replace(topology(), stable="green", former="blue")
    names = [cluster["name"] for cluster in documents(changing)[CLUSTER]]
    assert names == ["blue", "green", "blue_shielded", "green_shielded"]
    old = documents(changing)[CLUSTER][-1]["cluster_type"]["typed_config"]["clusters"]
    assert old == [{"name": "green"}, {"name": "blue"}]
    assert "green_shielded" not in {cluster["name"] for cluster in documents(replace(changing, former=""))[CLUSTER]}


def test_where_nobody_may_choose_an_environment_only_our_own_requests_are_pinned() -> None:
    closed = replace(topology(), has_pins=False, shadow_key="secret")
    routes = documents(closed)[ROUTE][0]["virtual_hosts"][0]["routes"]
    matches = [route["match"] for route in routes if route["name"] == "pin-green"]
    green = {"name": "x-podium-arm", "string_match": {"exact": "green"}}
    copy = {"name": "x-podium-shadow", "string_match": {"exact": "secret"}}
    assert matches == [{"path": "/readyz", "headers": [green]}, {"prefix": "/", "headers": [green, copy]}]
    assert "secret" not in repr(closed)
