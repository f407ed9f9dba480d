"""Settings that could not work are refused before anything is written, with the relation that fails and its numbers."""

from __future__ import annotations

import re
from typing import Any

import pytest

from podium.core.errors import ConfigurationError
from podium.deploy.inequality import Inequality
from podium.deploy.plan import inequalities, plan_of
from support.deployments import (
    FOLDERS,
    FULL,
    GATEWAYS,
    GPUS,
    LARGE,
    OUTSIDE,
    OWN_WEIGHTS,
    SMALL,
    SPREAD,
    Document,
    settings_of,
)


def _merged(document: Document, extra: Document) -> Document:
    found = dict(document)
    for key, value in extra.items():
        below = found.get(key)
        found[key] = _merged(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return found


def _refusal(document: Document, extra: Document, profile: Any = "cpu") -> str:
    with pytest.raises(ConfigurationError) as caught:
        plan_of(settings_of(_merged(document, extra)), profile)
    return caught.value.message


def _timing(**given: Any) -> Document:
    return {"deploy": {"timing": given}}


def _spread(engine: Document, **accelerators: Any) -> Document:
    model = {"name": "big", "source": "/models/big", "engine": {"kind": "vllm", **engine}}
    return {"models": [model], "deploy": {"accelerators": {"available": 512, **accelerators}}}


QUICK: Document = {"server": {"load_seconds": 100.0}}
NUMBERS: list[tuple[str, Document, Document, str, str]] = [
    ("grace below the drain", FULL, _timing(grace_seconds=40), "cpu",
     "drain_seconds + stop_margin_seconds does not hold: 40 against 10 + 300 + 20 = 330"),
    ("drain below the longest stream", FULL, {"server": {"drain_seconds": 30.0}}, "cpu",
     "server.drain_seconds >= longest_stream_seconds does not hold: 30 against 300"),
    ("startup below twice the slowest load", FULL, {**_timing(startup_seconds=600), **QUICK}, "cpu",
     "startup_seconds >= 2 * 2 * slowest_load_seconds does not hold: 600 against 1200"),
    ("startup below the server's own limit", SMALL, _timing(startup_seconds=900), "cpu",
     "startup_seconds >= 1 * server.load_seconds does not hold: 900 against 1800"),
    ("deadline within the startup", FULL, _timing(progress_deadline_seconds=600), "cpu",
     "> weights.fetch_seconds + startup_seconds does not hold: 600 against 3600 + 3600 = 7200"),
    ("deadline at the end of the startup", FULL, _timing(progress_deadline_seconds=7200), "cpu",
     "progress_deadline_seconds > weights.fetch_seconds + startup_seconds does not hold: 7200 against 3600 + 3600"),
    ("a hang that is found too late", FULL, {"server": {"stall_seconds": 28.0}}, "cpu",
     "hang_seconds >= 2 * server.stall_seconds + probe period * failures does not hold: 60 against 56 + 10 = 66"),
    ("a scaler that is quicker than streams", FULL, {"deploy": {"autoscaling": {"scale_down_seconds": 60}}}, "cpu",
     "scale_down_seconds >= longest_stream_seconds does not hold: 60 against 300"),
    ("a scaler that is slower than is possible", FULL, _timing(longest_stream_seconds=7200), "cpu",
     "scale_down_seconds <= the most an autoscaler accepts does not hold: 7200 against 3600"),
    ("a scaler without room", FULL, {"deploy": {"environments": {"blue": {"replicas": 5}}}}, "cpu",
     "environments.blue.max_replicas >= environments.blue.replicas does not hold: 4 against 5"),
    ("more pods than GPUs", LARGE, {"deploy": {"accelerators": {"available": 2}}}, "gpu",
     "1 * pods of blue + 1 * rollout surge does not hold: 2 against 2 + 1 = 3; in the overlay production the pods"),
    ("GPUs that nobody counted", LARGE, {}, "gpu", "does not hold: 0 against 2 + 1 = 3"),
    ("a model on more GPUs than a pod has", SMALL,
     {"models": [{"name": "big", "source": "/models/big", "engine": {"kind": "vllm", "tensor_parallel": 4}}],
      "deploy": GPUS}, "gpu",
     "accelerators.per_replica >= tensor_parallel * pipeline_parallel of model big does not hold: 2 against 4"),
    ("stages that have no GPUs", SMALL, _spread({"pipeline_parallel": 3}, per_replica=2), "gpu",
     "accelerators.per_replica >= tensor_parallel * pipeline_parallel of model big does not hold: 2 against 3"),
    ("a group whose GPUs are not there", SMALL, _spread({}, per_replica=16, per_node=8, available=47), "gpu",
     "accelerators.available >= 16 * pods of blue + 16 * rollout surge does not hold: 47 against 32 + 16 = 48"),
    ("a node that is not full", SMALL, _spread({}, per_replica=12, per_node=8), "gpu",
     "accelerators.per_replica >= tensor_parallel * pipeline_parallel of model big does not hold: 12 against 16"),
    ("GPUs of a node that nobody uses", SMALL, _spread({"tensor_parallel": 4}, per_replica=16, per_node=8), "gpu",
     "tensor_parallel * pipeline_parallel of model big >= 2 nodes * accelerators.per_node does not hold: 4 against 16"),
    ("layers over the network", SMALL, _spread({"tensor_parallel": 16}, per_replica=16, per_node=8), "gpu",
     "accelerators.per_node >= tensor_parallel of model big does not hold: 8 against 16"),
    ("slices that are joined", SMALL, _spread({}, per_replica=2, resource="nvidia.com/mig-3g.40gb"), "gpu",
     "slices of a GPU that one model can use >= accelerators.per_replica does not hold: 1 against 2"),
    ("a pod's disk that is too small", OWN_WEIGHTS, {"deploy": {"weights": {"size": "10Gi"}}}, "cpu",
     "(GiB) + resources.temporary (GiB) does not hold: 20 against 10 + 12 + 2 = 24"),
    ("volumes that are larger than their disk", SMALL, {"deploy": {"resources": {"cache": "30Gi"}}}, "cpu",
     "resources.cache (GiB) + resources.temporary (GiB) does not hold: 20 against 30 + 2 = 32"),
    ("a gateway that leaves too soon", GATEWAYS, {"gateway": {"drain_seconds": 30.0}}, "cpu",
     "gateway.drain_seconds >= longest_stream_seconds does not hold: 30 against 300"),
    ("a first token later than the end", GATEWAYS, {"gateway": {"first_byte_seconds": 400.0}}, "cpu",
     "longest_stream_seconds >= gateway.first_byte_seconds does not hold: 300 against 400"),
    ("one node's claim for several", FULL, {"deploy": {"weights": {"access_mode": "ReadWriteOnce"}}}, "cpu",
     "nodes that a ReadWriteOnce claim serves >= blue + green + rollout surge does not hold: 1 against 4 + 4 + 2 = 10"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "extra", "profile", "said"), [case[1:] for case in NUMBERS], ids=[c[0] for c in NUMBERS]
)
def test_a_relation_that_fails_is_refused_with_its_numbers(
    document: Document, extra: Document, profile: str, said: str
) -> None:
    assert said in _refusal(document, extra, profile)


@pytest.mark.parametrize("document", [SMALL, OUTSIDE], ids=["the demo model", "a model elsewhere"])
def test_gpus_that_no_model_would_use_are_not_taken(document: Document) -> None:
    assert "the profile is gpu, and no model would use one" in _refusal(document, {"deploy": GPUS}, "gpu")


def test_recreate_one_needs_no_spare_gpu() -> None:
    exact = {"deploy": {"accelerators": {"available": 2}, "strategy": "recreate-one"}}
    assert plan_of(settings_of(_merged(LARGE, exact)), "gpu").profile == "gpu"


def test_a_claim_of_one_node_serves_one_pod_that_is_replaced() -> None:
    one = {
        "models": [{"name": "m", "source": "/models/m"}],
        "deploy": {
            "weights": {"access_mode": "ReadWriteOnce"},
            "strategy": "recreate-one",
            "environments": {"blue": {"replicas": 1}},
        },
    }
    assert plan_of(settings_of(_merged(SMALL, one)), "cpu").claims_weights


REASONS: list[tuple[str, Document, Document, str]] = [
    ("no image", {}, {"access": {"anonymous": "everywhere"}}, "deploy.image is empty"),
    ("no Redis image", FULL, {"deploy": {"redis": {"image": ""}}}, "deploy.redis.image is empty"),
    ("no weights image", FOLDERS, {"deploy": {"weights": {"image": ""}}}, "deploy.weights.image is empty"),
    ("nobody can be let in", SMALL, {"access": {"anonymous": "loopback"}}, "no caller could be let in"),
    ("keys of each pod's own", FULL, {"access": {"store": "sqlite"}}, "access.store is sqlite"),
    ("metrics behind keys that cannot be", SMALL, {"deploy": {"monitoring": "pod-monitor"}},
     "a key with the role metrics"),
    ("a scaler without its metric", FULL, {"deploy": {"monitoring": "none"}}, "a scaler without it never scales"),
    ("an environment elsewhere", SMALL, {"gateway": {"environments": {"blue": {"endpoints": ["http://10.0.0.7:8000"]}}}},
     "environment blue has endpoints"),
    ("an unknown environment", FULL, {"deploy": {"environments": {"purple": {}}}}, "purple, which is no environment"),
    ("traffic to nobody", FULL, {"deploy": {"environments": {"green": {"replicas": 0}}}},
     "environment green has 5 % of traffic and no pods"),
    ("a port that is chosen anew each time", SMALL, {"server": {"port": 0}}, "two different ports of 1024 or more"),
    ("a port that only root opens", SMALL, {"server": {"port": 80}}, "two different ports of 1024 or more"),
    ("a port that nothing leads to", SMALL, {"server": {"grpc_port": 8002}}, "--set server.grpc_port=null"),
    ("two servers on one port", SMALL, {"server": {"admin_port": 8000}}, "two different ports"),
    ("a folder of this machine", SMALL, {"models": [{"name": "m", "source": "./models/m"}]},
     "comes from the folder ./models/m, which no pod has"),
    ("a way out of the volume", SMALL, {"models": [{"name": "m", "source": "/models/../etc"}]}, "which no pod has"),
    ("a download into an image", FOLDERS, {"models": [{"name": "m", "source": "a/b"}]}, "name a folder in that image"),
    ("a secret file of this machine", OUTSIDE, {"redis": {"ca_file": "./ca.pem"}},
     "redis.ca_file is ./ca.pem, which no pod has; use /etc/podium/files/KEY of podium-files"),
    ("Redis on a socket", FULL, {"redis": {"url": "unix:///run/redis.sock"}}, "redis.url is a socket file"),
    ("a wall before the API server", GATEWAYS, {"deploy": {"network": {"api_server": []}}},
     "keep the controller from the API server; add its address to deploy.network.api_server"),
    ("a key over the network", GATEWAYS, {"gateway": {"tls": {"certificate": "c.pem", "key": "k.pem"}}},
     "gateways would get the key over the cluster's network"),
    ("a key that nobody uses", FULL, {"gateway": {"tls": {"certificate": "c.pem", "key": "k.pem"}}},
     "TLS ends in front of what is rendered: at the Gateway"),
    ("an environment with a Service's name", GATEWAYS, {"gateway": {"environments": {"controller": {"replicas": 1}}}},
     "environment controller has the name of one of our own Services"),
    ("an environment with the Service of Redis", FULL, {"gateway": {"environments": {"redis": {"replicas": 1}}}},
     "environment redis has the name of one of our own Services"),
    ("an access log that nobody rotates", GATEWAYS, {"gateway": {"access_log": "/var/log/gateway.jsonl"}},
     "a file in a container, which nobody reads or rotates; render with --set gateway.access_log=stdout"),
    ("two ports that are one", GATEWAYS, {"deploy": {"gateway": {"status_port": 8080}}}, "three different ports"),
    ("webhooks that cannot leave", GATEWAYS,
     {"monitor": {"webhooks": [{"url": "https://hooks.example/x"}]}}, "would keep pods from monitor.webhooks"),
    ("a webhook's secret of this machine", GATEWAYS,
     {"monitor": {"webhooks": [{"url": "https://hooks.example/x", "secret_file": "./hook"}]}},
     "monitor.webhooks.0.secret_file is ./hook, which no pod has"),
    ("webhooks without a monitor", FULL,
     {"monitor": {"webhooks": [{"url": "https://hooks.example/x"}]}}, "give them to the cluster's Alertmanager"),
    ("a folder of this machine for one environment", FULL,
     {"gateway": {"environments": {"green": {"models": [{"name": "m", "source": "./m"}]}}}},
     "comes from the folder ./m, which no pod has"),
    ("a file of this machine for one environment", FULL,
     {"gateway": {"environments": {"green": {"models": [
         {"name": "m", "source": "/models/m", "chat_template_file": "./chat.jinja"}]}}}},
     "the chat template of model m is ./chat.jinja, which no pod has"),
    ("an image of weights that nobody mounts", FULL,
     {"deploy": {"environments": {"green": {"weights_image": "r/w@sha256:" + "a" * 64}}}},
     "deploy.environments.green.weights_image is set, and weights come from a claim"),
    ("an Ingress with weights", FULL, {"deploy": {"route": {"kind": "ingress"}}}, "which has no weights"),
    ("a part of a per cent in a mesh", FULL,
     {"gateway": {"weights": {"blue": 99.5, "green": 0.5}}, "deploy": {"route": {"kind": "istio"}}},
     "environment blue has 99.5 % of traffic, and a VirtualService knows whole per cents"),
    ("a certificate for nobody", GATEWAYS, {"deploy": {"route": {"kind": "ingress", "tls_secret": "x"}}},
     "tls_secret is set without host_names"),
    ("a folder for a pod's own volume", SMALL,
     {"models": [{"name": "m", "source": "/models/m"}], "deploy": {"weights": {"kind": "init"}}},
     "which nobody fetches into a pod's own volume"),
    ("a collector of this machine", FULL, {"telemetry": {"otlp_endpoint": "http://localhost:4318"}},
     "where a pod or container finds itself or its node; name the collector as it is known there"),
    ("a collector whose addresses nobody told", FULL, {"telemetry": {"otlp_endpoint": "https://otlp.vendor.example"}},
     "add the addresses of otlp.vendor.example with port 443 to deploy.network.egress"),
    ("headers in a file of this machine", FULL,
     {"telemetry": {"otlp_endpoint": "http://c:4318", "otlp_headers_file": "./headers"}},
     "telemetry.otlp_headers_file is ./headers, which no pod has"),
    ("a key of this machine", FULL, {"access": {"metrics_key_file": "./metrics-key"}},
     "access.metrics_key_file is ./metrics-key, which no pod has"),
    ("a password that all may read", OUTSIDE, {"redis": {"url": "rediss://me:secret@10.1.0.5:6380/0"}},
     "redis.url has a password in its address"),
    ("an engine on this machine", OUTSIDE,
     {"models": [{"name": "far", "source": "none", "engine": {"kind": "remote", "base_url": "http://localhost:9000/v1"}}]},
     "the engine of model far is http://localhost:9000/v1, where a pod or container finds only itself"),
    ("a gate for another port", OUTSIDE, {"redis": {"url": "rediss://10.1.0.5:6381/0"}},
     "would keep pods from redis.url, and know no names; add the addresses of 10.1.0.5:6381"),
    ("a gate for another address", OUTSIDE, {"redis": {"url": "rediss://10.1.0.6:6380/0"}}, "10.1.0.6:6380"),
    ("a wall around what is needed", OUTSIDE, {"deploy": {"network": {"egress": []}}},
     "would keep pods from the engine of model far, redis.url"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "extra", "said"), [case[1:] for case in REASONS], ids=[case[0] for case in REASONS]
)
def test_what_could_not_run_is_refused_with_what_to_do(document: Document, extra: Document, said: str) -> None:
    assert said in _refusal(document, extra)


SPREADS: list[tuple[str, Document, str]] = [
    ("two models on the nodes of one", {"models": [*SPREAD["models"], {"name": "b", "source": "/models/b"}]},
     "works for exactly one model, with the engine vllm"),
    ("an engine that cannot", {"models": [{"name": "b", "source": "/models/b", "engine": "transformers"}]},
     "works for exactly one model, with the engine vllm"),
    ("proxies between GPUs", {"deploy": {"mesh": {"kind": "linkerd"}}}, "would stand between the GPUs of one copy"),
    ("weights on every node", {"deploy": {"weights": {"kind": "init"}}}, "every node would fetch the weights"),
    ("nodes that nobody renders", {"models": [{"name": "b", "source": "/models/b", "engine": {"kind": "vllm",
     "tensor_parallel": 4, "nodes": 4}}]}, "model b has engine.nodes 4, and a copy takes 2 here"),
]  # fmt: skip


@pytest.mark.parametrize(("extra", "said"), [case[1:] for case in SPREADS], ids=[case[0] for case in SPREADS])
def test_what_cannot_be_spread_over_nodes_is_refused(extra: Document, said: str) -> None:
    assert said in _refusal(SPREAD, extra, "gpu")


def test_every_reason_is_told_at_once() -> None:
    message = _refusal(FULL, _timing(grace_seconds=40) | {"server": {"drain_seconds": 30.0, "port": 0}})
    assert message.startswith("3 reasons against rendering:\n")


@pytest.mark.parametrize("text", ["0", "0Gi", "0.0", "00m", "lots", "-1", "8 Gi", "1e3"])
def test_an_amount_of_nothing_and_what_is_no_amount_are_no_settings(text: str) -> None:
    with pytest.raises(ValueError, match="quantity above 0"):
        settings_of(SMALL, resources={"memory": text})


@pytest.mark.parametrize("text", ["8", "8m", "512k", "900000"])
def test_memory_of_a_few_bytes_is_a_unit_that_was_forgotten(text: str) -> None:
    with pytest.raises(ValueError, match="should have a unit of M or more, such as 512Mi or 8Gi"):
        settings_of(SMALL, resources={"memory": text})
    assert settings_of(SMALL, resources={"cpu": "8", "memory": "8589934592"})


@pytest.mark.parametrize(
    "deploy",
    [
        {"monitoring_labels": {"rele ase": "x"}},
        {"monitoring_labels": {"release": "on it"}},
        {"placement": {"node_selector": {"pool/": "x"}}},
        {"placement": {"priority_class": "Serving First"}},
        {"route": {"host_names": ["https://models.example"]}},
        {"weights": {"storage_class": "fast_disk"}},
        {"accelerators": {"resource": "nvidia gpu"}},
    ],
    ids=str,
)
def test_a_word_that_the_cluster_would_refuse_is_no_setting(deploy: Document) -> None:
    with pytest.raises(ValueError, match="should be a "):
        settings_of(SMALL, **deploy)


def test_a_service_of_the_cluster_may_lead_to_pods_on_any_port() -> None:
    engine = {"kind": "remote", "base_url": "http://vllm.models.svc.cluster.local/v1"}
    model = {"models": [{"name": "far", "source": "none", "engine": engine}]}
    assert plan_of(settings_of(_merged(OUTSIDE, model)), "cpu")


@pytest.mark.parametrize("text", ["podium", "podium:latest", "Registry/podium@sha256:" + "a" * 64, "p@sha256:abc"])
def test_an_image_without_a_digest_is_no_setting(text: str) -> None:
    with pytest.raises(ValueError, match="pinned"):
        settings_of(SMALL, image=text)


@pytest.mark.parametrize("document", [FULL, SMALL, OUTSIDE, FOLDERS], ids=["full", "small", "outside", "folders"])
def test_what_is_computed_breaks_no_relation(document: Document) -> None:
    assert [str(each) for each in inequalities(settings_of(document), "cpu") if not each.holds] == []


def test_a_relation_is_told_in_names_and_numbers() -> None:
    failed = Inequality({"a": 1.5}, ">=", {"b": 1, "c": 2}, why="it breaks", fix="Raise a.")
    assert not failed.holds
    assert failed.failure() == "a >= b + c does not hold: 1.5 against 1 + 2 = 3; it breaks. Raise a."
    assert re.match(r"a >= b \+ c$", str(failed))


def test_a_folder_of_batches_is_no_folder_of_pods() -> None:
    assert "--set batches.folder=" in _refusal(SMALL, {"batches": {"folder": "/var/lib/batches"}})
