"""Settings that can be deployed, in every variety, and what is rendered from them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from podium.config.settings import Settings
from podium.deploy.environments import Profile
from podium.deploy.lint.graph import Graph, Item
from podium.deploy.lint.reading import read_sets
from podium.deploy.losses import LOSSES, Way
from podium.deploy.progressive import render_progressive
from podium.deploy.render import render, write

IMAGE = "registry.example/podium@sha256:" + "a" * 64
REDIS_IMAGE = "registry.example/redis@sha256:" + "b" * 64
WEIGHTS_IMAGE = "registry.example/weights@sha256:" + "c" * 64

Document = dict[str, Any]

FULL: Document = {
    "models": [{"name": "gpt2", "source": "openai-community/gpt2"}, {"name": "mine", "source": "/models/mine"}],
    "redis": {"url": "redis://127.0.0.1:6379/0"},
    "gateway": {
        "environments": {"blue": {"replicas": 1}, "green": {"replicas": 1}},
        "weights": {"blue": 95.0, "green": 5.0},
    },
    "deploy": {"image": IMAGE, "redis": {"image": REDIS_IMAGE}, "autoscaling": {"kind": "keda"}},
}
"""Two environments, Redis, downloads, a scaler."""

SMALL: Document = {
    "access": {"anonymous": "everywhere"},
    "deploy": {"image": IMAGE, "monitoring": "none", "route": {"kind": "none"}},
}
"""The demo model for a trusted network: the least that runs."""

LARGE: Document = {
    **SMALL,
    "models": [{"name": "big", "source": "/models/big", "engine": {"kind": "vllm"}, "python": "/opt/vllm/bin/python"}],
}
"""The same with a model for GPUs, on the engine of the GPU image."""

OUTSIDE: Document = {
    "models": [{"name": "far", "source": "none", "engine": {"kind": "remote", "base_url": "http://10.1.0.9:9000/v1",
                "api_key_file": "/etc/podium/files/far"}}],
    "redis": {"url": "rediss://10.1.0.5:6380/0", "ca_file": "/etc/podium/files/ca.pem",
              "password_file": "/etc/podium/files/redis"},
    "deploy": {
        "image": IMAGE,
        "strategy": "recreate-one",
        "redis": {"external": True},
        "route": {"host_names": ["models.example"]},
        "network": {"egress": [{"network": "10.1.0.5/32", "port": 6380}, {"network": "0.0.0.0/0", "port": 9000}]},
    },
}  # fmt: skip
"""Everything that it needs is elsewhere."""

FOLDERS: Document = {
    "models": [{"name": "mine", "source": "/models/mine"}],
    "access": {"jwt": {"issuer": "i", "audience": "a", "jwks": "/etc/podium/files/jwks.json"}},
    "deploy": {"image": IMAGE, "weights": {"kind": "image", "image": WEIGHTS_IMAGE}},
}
"""Weights from an image, tokens instead of keys."""

GATEWAYS: Document = {
    **FULL,
    "deploy": {
        **FULL["deploy"],
        "splitter": "gateway",
        "environments": {"green": {"image": "registry.example/podium@sha256:" + "d" * 64}},
        "network": {"api_server": [{"network": "10.0.0.1/32", "port": 6443}]},
    },
}
"""Gateways of our own, with their controller."""

INGRESS: Document = {
    **GATEWAYS,
    "deploy": {
        **GATEWAYS["deploy"],
        "autoscaling": {"kind": "hpa"},
        "route": {"kind": "ingress", "ingress_class": "edge", "host_names": ["m.example"], "tls_secret": "m-example"},
    },
}
"""An Ingress before our own gateways, and the cluster's own autoscaler."""

ISTIO: Document = {**FULL, "deploy": {**FULL["deploy"], "route": {"kind": "istio", "host_names": ["m.example"]}}}
"""Weights of a mesh."""

MESHED: Document = {
    **GATEWAYS,
    "telemetry": {"otlp_endpoint": "http://otel-collector.observability:4318"},
    "deploy": {**GATEWAYS["deploy"], "mesh": {"kind": "linkerd"}, "logging": {"kind": "vector"}},
}
"""Linkerd's proxies beside servers and gateways; Vector collects, and traces go to a collector."""

OWN_WEIGHTS: Document = {
    **FULL,
    "models": FULL["models"][:1],
    "deploy": {
        **FULL["deploy"],
        "weights": {"kind": "init", "size": "4Gi"},
        "logging": {"kind": "fluent-bit"},
        "monitoring_labels": {"release": "kube-prometheus-stack"},
    },
}
"""Each pod fetches its own; Fluent Bit collects."""

SPREAD: Document = {
    **FULL,
    "models": [{"name": "big", "source": "owner/big", "engine": "vllm", "python": "/opt/vllm/bin/python"}],
    "deploy": {**FULL["deploy"], "accelerators": {"per_replica": 16, "per_node": 8, "available": 512}},
}
"""One copy takes sixteen GPUs, of two nodes."""

SLICES: Document = {
    **LARGE,
    "deploy": {
        **LARGE["deploy"],
        "accelerators": {
            "allocation": "claim",
            "device_class": "mig.nvidia.com",
            "device_selector": 'device.attributes["gpu.nvidia.com"].profile == "3g.40gb"',
            "available": 8,
        },
    },
}
"""Slices of GPUs, claimed."""

VERSIONS: Document = {
    **GATEWAYS,
    "gateway": {
        "environments": {
            "blue": {"replicas": 1},
            "green": {"replicas": 1, "models": [{"name": "gpt2", "source": "openai-community/gpt2-medium"}]},
        },
        "weights": {"blue": 100.0},
    },
    "telemetry": {"otlp_endpoint": "http://10.1.0.4:4318", "otlp_headers_file": "/etc/podium/files/otlp"},
    "monitor": {"webhooks": [{"url": "http://10.1.0.4:9000/hook", "secret_file": "/etc/podium/files/hook"}]},
    "deploy": {
        **GATEWAYS["deploy"],
        "image_pull_secrets": ["registry"],
        "placement": {"node_selector": {"pool": "models"}, "priority_class": "serving", "runtime_class": "nvidia"},
        "weights": {"token_secret": "hub"},
        "runbooks": "https://wiki.example/runbooks",
        "route": {"gateway_namespace": "infra"},
        "network": {
            **GATEWAYS["deploy"]["network"],
            "client_addresses": ["35.191.0.0/16"],
            "dns_addresses": ["169.254.20.10/32"],
            "egress": [{"network": "10.1.0.4/32", "port": 4318}, {"network": "10.1.0.4/32", "port": 9000}],
        },
    },
}
"""A new model beside the old one; registry, nodes, names, balancer and receivers of the cluster's own."""

GPUS: Document = {"accelerators": {"per_replica": 2, "available": 64}}

VARIETIES: dict[str, tuple[Document, Profile]] = {
    "full-cpu": (FULL, "cpu"),
    "full-gpu": (FULL, "gpu"),
    "small-cpu": (SMALL, "cpu"),
    "small-gpu": (LARGE, "gpu"),
    "outside-cpu": (OUTSIDE, "cpu"),
    "gateways-cpu": (GATEWAYS, "cpu"),
    "gateways-gpu": (GATEWAYS, "gpu"),
    "ingress-cpu": (INGRESS, "cpu"),
    "istio-cpu": (ISTIO, "cpu"),
    "folders-cpu": (FOLDERS, "cpu"),
    "folders-gpu": (FOLDERS, "gpu"),
    "mesh-cpu": (MESHED, "cpu"),
    "own-weights-cpu": (OWN_WEIGHTS, "cpu"),
    "spread-gpu": (SPREAD, "gpu"),
    "slices-gpu": (SLICES, "gpu"),
    "versions-cpu": (VERSIONS, "cpu"),
}


def settings_of(document: Document, **deploy: Any) -> Settings:
    """Settings as the command line reads them; ``deploy`` goes over that section."""
    whole = {**document, "deploy": {**document.get("deploy", {}), **deploy}}
    return Settings.model_validate_json(json.dumps(whole), strict=True)


def files_of(document: Document, profile: Profile = "cpu", **deploy: Any) -> dict[str, str]:
    """What is rendered."""
    counted = "accelerators" in document.get("deploy", {})
    more = {**GPUS, **deploy} if profile == "gpu" and not counted else deploy
    return render(settings_of(document, **more), profile)


def sets_of(folder: Path, document: Document, profile: Profile = "cpu", **deploy: Any) -> dict[str, Graph]:
    """What is rendered into ``folder``, read back."""
    write(files_of(document, profile, **deploy), folder)
    return read_sets(folder)


ONE: Document = {
    **FULL,
    "gateway": {},
    "deploy": {**FULL["deploy"], "network": {"api_server": [{"network": "10.0.0.1/32", "port": 6443}]}},
}
"""One environment, whose second version Argo Rollouts or Flagger make."""

UNSCALED: Document = {"autoscaling": {"kind": "none"}}
WAYS: dict[str, tuple[Way, Document]] = {
    "argo": ("argo", {}),
    "argo-unscaled": ("argo", UNSCALED),
    "flagger": ("flagger", UNSCALED),
}


def accepted(way: Way) -> list[str]:
    """Every loss of safety of a way."""
    return [loss.name for loss in LOSSES[way] if loss.is_safety]


def progressive_files(way: Way, profile: Profile = "cpu", document: Document = ONE, **deploy: Any) -> dict[str, str]:
    """What is rendered for Argo Rollouts or Flagger, with all its losses accepted."""
    return render_progressive(settings_of(document, **deploy), profile, way, accepted(way))


def progressive_sets(folder: Path, way: Way, **deploy: Any) -> dict[str, Graph]:
    """The same, read back."""
    write(progressive_files(way, **deploy), folder)
    return read_sets(folder)


def changed(graph: Graph, kind: str, change: Any, name: str | None = None) -> Graph:
    """A copy in which ``change`` was applied to the objects of that kind; at least one."""
    found = []
    touched = 0
    for item in graph.items:
        if item.kind != kind or (name is not None and item.name != name):
            found.append(item)
            continue
        value = copy.deepcopy(dict(item.value))
        change(value)
        touched += 1
        found.append(Item(value, item.file))
    assert touched, f"no {kind} {name or ''}"
    return Graph(tuple(found))


def without(graph: Graph, kind: str, name: str | None = None) -> Graph:
    """A copy without the objects of that kind."""
    kept = tuple(item for item in graph.items if item.kind != kind or (name is not None and item.name != name))
    assert len(kept) < len(graph.items), f"no {kind} {name or ''}"
    return Graph(kept)


def added(graph: Graph, value: dict[str, Any]) -> Graph:
    """A copy with one more object."""
    return Graph((*graph.items, Item(value, "added.yaml")))
