"""Compose files: settings in every variety, and what is rendered from them."""

from __future__ import annotations

import copy
import json
from typing import Any

import yaml

from podium.config.settings import Settings
from podium.deploy.compose.document import render_compose
from podium.deploy.environments import Profile
from support.deployments import IMAGE, LARGE, SMALL, Document

FULL_STACK: Document = {
    "models": [{"name": "gpt2", "source": "openai-community/gpt2"}, {"name": "mine", "source": "/models/mine"}],
    "redis": {"url": "redis://127.0.0.1:6379/0"},
    "gateway": {
        "environments": {"blue": {"replicas": 1}, "green": {"replicas": 1}},
        "weights": {"blue": 95.0, "green": 5.0},
    },
    "monitor": {"webhooks": [{"url": "https://hooks.example/a", "kind": "alertmanager"}]},
    "deploy": {"image": IMAGE},
}
"""Two environments, Redis, downloads, somebody who is told."""

FILES_STACK: Document = {
    **FULL_STACK,
    "models": [{"name": "far", "source": "none", "engine": {"kind": "remote", "base_url": "http://10.1.0.9:9000/v1",
                "api_key_file": "/etc/podium/files/far"}}],
    "gateway": {
        "listen": "0.0.0.0:8443",
        "tls": {"certificate": "/etc/podium/files/tls.crt", "key": "/etc/podium/files/tls.key"},
        "environments": {"blue": {"replicas": 2}, "far": {"endpoints": ["http://10.0.0.7:8000"],
                         "metrics": ["http://10.0.0.7:8001"]}},
        "weights": {"blue": 100.0},
    },
    "monitor": {"webhooks": [{"url": "https://hooks.example/b", "secret_file": "/etc/podium/files/hook"}]},
    "deploy": {"image": IMAGE, "network": {"egress": [{"network": "10.1.0.9/32", "port": 9000}]}},
}  # fmt: skip
"""Files of the owner's, TLS, servers elsewhere, several servers of one name."""

LEAST: Document = {**SMALL, "deploy": {"compose": {"monitoring": False}}}
"""The demo model for a trusted network, from an image that was built here."""

GPUS: Document = {
    **LARGE,
    "gateway": {"environments": {"blue": {"replicas": 1}, "green": {"replicas": 1}}},
    "deploy": {"image": IMAGE, "accelerators": {"per_replica": 2, "available": 8}},
}

STACKS: dict[str, tuple[Document, Profile, bool]] = {
    "host": (FULL_STACK, "cpu", False),
    "swarm": (FULL_STACK, "cpu", True),
    "host-files": (FILES_STACK, "cpu", False),
    "swarm-files": (FILES_STACK, "cpu", True),
    "host-least": (LEAST, "cpu", False),
    "host-gpus": (GPUS, "gpu", False),
    "swarm-gpus": (GPUS, "gpu", True),
}


def stack_files(document: Document, profile: Profile = "cpu", *, swarm: bool = False) -> dict[str, str]:
    """What is rendered from a document."""
    settings = Settings.model_validate(json.loads(json.dumps(copy.deepcopy(document))))
    return render_compose(settings, profile, swarm=swarm)


def documents_of(files: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The compose files among ``files``, read."""
    return {name: yaml.safe_load(files[name]) for name in ("compose.yaml", "weights.yaml") if name in files}
