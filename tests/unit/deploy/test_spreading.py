"""One copy over several GPUs and nodes: the sizes that reach vLLM, and the pods that hold it."""

from __future__ import annotations

import json
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from podium.config.engine import VLLMEngine
from podium.config.sources import load
from podium.deploy.lint.graph import Graph, Workload
from podium.deploy.plan import plan_of
from podium.engine.adapters.vllm_parallel import FIRST, Node, parallel_arguments
from support.deployments import LARGE, SPREAD, Document, sets_of, settings_of


def _engine(document: Document, **accelerators: int) -> VLLMEngine:
    """The engine that a pod's own configuration names."""
    document = {**document, "deploy": {**document["deploy"], "accelerators": {"available": 512, **accelerators}}}
    (model,) = load({}, None, {"PODIUM__MODELS": _models(document)}).settings.models
    assert isinstance(model.engine, VLLMEngine)
    return model.engine


def _models(document: Document) -> str:
    return json.dumps(yaml.safe_load(plan_of(settings_of(document), "gpu").environments[0].config)["models"])


@pytest.mark.parametrize(
    ("accelerators", "sizes"),
    [
        ({"per_replica": 1}, (1, 1, 1)),
        ({"per_replica": 4}, (4, 1, 1)),
        ({"per_replica": 16, "per_node": 8}, (8, 2, 2)),
        ({"per_replica": 8, "per_node": 8}, (8, 1, 1)),
    ],
    ids=["one GPU", "one node", "two nodes", "exactly one node"],
)
def test_sizes_that_nobody_set_are_those_of_the_pods(accelerators: dict[str, int], sizes: tuple[int, ...]) -> None:
    engine = _engine(LARGE, **accelerators)
    assert (engine.tensor_parallel, engine.pipeline_parallel, engine.nodes) == sizes


def test_sizes_that_were_set_are_kept() -> None:
    chosen = {"kind": "vllm", "tensor_parallel": 4, "pipeline_parallel": 4}
    document = {**LARGE, "models": [{**LARGE["models"][0], "engine": chosen}]}
    engine = _engine(document, per_replica=16, per_node=8)
    assert (engine.tensor_parallel, engine.pipeline_parallel, engine.nodes) == (4, 4, 2)


def test_a_model_that_shares_its_gpus_is_not_spread_over_all_of_them() -> None:
    two = [{"name": name, "source": f"/models/{name}", "engine": "vllm"} for name in ("a", "b")]
    document = {
        **LARGE,
        "models": two,
        "deploy": {**LARGE["deploy"], "accelerators": {"per_replica": 2, "available": 9}},
    }
    assert {model.engine.tensor_parallel for model in plan_of(settings_of(document), "gpu").settings.models} == {1}  # type: ignore[union-attr]


def test_sizes_reach_vllm_in_its_own_words() -> None:
    engine = VLLMEngine(tensor_parallel=4, pipeline_parallel=2)
    assert parallel_arguments(engine, FIRST) == {"tensor_parallel_size": 4, "pipeline_parallel_size": 2}
    spread = engine.model_copy(update={"nodes": 2, "node_port": 1234})
    assert parallel_arguments(spread, Node(1, "leader")) == {
        "tensor_parallel_size": 4,
        "pipeline_parallel_size": 2,
        "distributed_executor_backend": "mp",
        "nnodes": 2,
        "node_rank": 1,
        "master_addr": "leader",
        "master_port": 1234,
    }


def test_gpus_that_nodes_cannot_share_evenly_are_refused() -> None:
    with pytest.raises(ValueError, match="= 4 GPUs cannot be shared evenly by 3 nodes"):
        VLLMEngine(tensor_parallel=4, nodes=3)


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    return sets_of(tmp_path_factory.mktemp("k8s"), SPREAD, "gpu")["overlays/production"]


def _pods(graph: Graph) -> tuple[Workload, Workload]:
    leader, follower = (each for each in graph.workloads if each.item.name == "podium-blue")
    assert (leader.follows, follower.follows) == (False, True)
    return leader, follower


def test_a_copy_is_a_group_of_as_many_pods_as_it_needs_nodes(production: Graph) -> None:
    leader, follower = _pods(production)
    assert leader.item.kind == "LeaderWorkerSet"
    assert leader.item.at("spec", "leaderWorkerTemplate", "size") == 2
    for pod in (leader, follower):
        assert pod.serving[0].value["resources"]["limits"]["nvidia.com/gpu"] == 8
    assert production.of("Deployment") == []


def test_each_kind_of_pod_is_what_a_cluster_accepts_as_a_deployment_s(production: Graph) -> None:
    for pod in production.workloads:
        if pod.item.kind == "LeaderWorkerSet":
            spec = {"selector": {"matchLabels": pod.labels}, "template": pod.template}
            as_deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": spec}
            kubernetes_validate.validate(as_deployment, "1.37", strict=True)


def test_requests_go_to_leaders_alone_and_others_get_no_secret(production: Graph) -> None:
    leader, follower = _pods(production)
    assert [service.name for service in production.services_of(leader)] == ["podium-blue"]
    assert production.services_of(follower) == []
    assert "redis-password" in leader.volumes
    assert not [volume for volume in follower.volumes.values() if "secret" in volume]
    assert leader.serving[0].value["command"][:2] == ["podium", "serve"]
    assert follower.serving[0].value["command"][-3:] == [
        "--first=$(LWS_LEADER_ADDRESS)",
        "--rank=$(NODE_RANK)",
        "--status=0.0.0.0:8001",
    ]


def test_groups_are_scaled_and_counted_as_pods_are(tmp_path: Path) -> None:
    sets = sets_of(tmp_path, SPREAD, "gpu")
    assert [each.at("spec", "replicas") for each in sets["overlays/dev"].of("LeaderWorkerSet")] == [1, 1]
    production = sets["overlays/production"]
    assert [each.at("spec", "replicas") for each in production.of("LeaderWorkerSet")] == [None, None]
    target = production.of("ScaledObject")[0].at("spec", "scaleTargetRef")
    assert target == {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet", "name": "podium-blue"}
    fixed = sets_of(tmp_path / "b", SPREAD, "gpu", autoscaling={"kind": "none"})["overlays/production"]
    assert [each.at("spec", "replicas") for each in fixed.of("LeaderWorkerSet")] == [2, 2]
