"""GPUs of pods: counted by a plugin, or claimed from a driver; whole, or slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate

from podium.deploy.cost import cost_of
from podium.deploy.lint.checking import check
from podium.deploy.lint.graph import Graph, Workload
from podium.deploy.plan import plan_of
from podium.deploy.prices import Prices
from support.deployments import LARGE, SLICES, SPREAD, sets_of, settings_of


def _server(graph: Graph) -> Workload:
    return Workload(graph.of("Deployment")[0])


def test_a_claim_on_devices_stands_in_the_place_of_a_resource(tmp_path: Path) -> None:
    graph = sets_of(tmp_path, SLICES, "gpu")["overlays/production"]
    server = _server(graph)
    (claim,) = server.pod["resourceClaims"]
    template = graph.find("ResourceClaimTemplate", claim["resourceClaimTemplateName"], "podium")
    assert template is not None
    (request,) = template.entries("spec", "spec", "devices", "requests")
    assert request["exactly"]["deviceClassName"] == "mig.nvidia.com"
    assert request["exactly"]["count"] == 1
    resources = server.serving[0].value["resources"]
    assert resources["claims"] == [{"name": claim["name"]}]
    assert not [name for name in resources["limits"] if "/" in name]


def test_the_template_is_what_clusters_with_that_api_accept(tmp_path: Path) -> None:
    graph = sets_of(tmp_path, SLICES, "gpu")["overlays/dev"]
    (template,) = graph.of("ResourceClaimTemplate")
    for version in ("1.34", "1.35", "1.36", "1.37"):
        kubernetes_validate.validate(dict(template.value), version, strict=True)


def test_nodes_are_tolerated_by_their_taint_and_not_by_the_slice(tmp_path: Path) -> None:
    def key(name: str, **given: Any) -> str:
        sets = sets_of(tmp_path / name, LARGE, "gpu", accelerators={"available": 9, **given})
        assert check(sets) == []
        graph = sets["overlays/dev"]
        found: str = _server(graph).pod["tolerations"][0]["key"]
        return found

    assert key("slice", resource="nvidia.com/mig-3g.40gb") == "nvidia.com/gpu"
    assert key("other", resource="amd.com/gpu") == "amd.com/gpu"
    assert key("claim", allocation="claim", device_class="mig.nvidia.com") == "nvidia.com/gpu"
    assert key("own", taint="pool/gpu") == "pool/gpu"


def test_claimed_devices_and_all_nodes_of_a_copy_cost_something() -> None:
    prices = Prices(
        currency="EUR",
        cpu_core_hour=0.0,
        memory_gib_hour=0.0,
        accelerator_hour={"mig.nvidia.com": 1.0, "nvidia.com/gpu": 2.0},
    )
    assert cost_of(plan_of(settings_of(SLICES), "gpu"), prices).hour_least == 2.0
    lines = {line.name: line for line in cost_of(plan_of(settings_of(SPREAD), "gpu"), prices).lines}
    assert (lines["podium-blue"].pods_least, lines["podium-blue"].hour) == (4, 16.0)
