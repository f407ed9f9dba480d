"""Where the models of a pod come from, as far as a cluster must know."""

from __future__ import annotations

import re

from podium.config.deploy import Weights
from podium.config.models import Model

_HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}(@[A-Za-z0-9._-]{1,64})?\Z")


def hub_ids(models: tuple[Model, ...]) -> list[str]:
    """The hub ids among the sources, each once, in their order."""
    return list(dict.fromkeys(model.source for model in models if _HUB_ID.match(model.source)))


def needs_weights(models: tuple[Model, ...], weights: Weights) -> bool:
    """Whether a volume with weights is mounted."""
    return bool(hub_ids(models)) or any(_is_below(model.source, weights.path) for model in models)


def source_problem(model: Model, weights: Weights) -> str | None:
    """Why a pod could not find this model, or None."""
    source = model.source
    if source == "none" or source.startswith("builtin:"):
        return None
    if _is_below(source, weights.path):
        if weights.kind == "init":
            return (
                f"model {model.name} is the folder {source}, which nobody fetches into a pod's own volume; name a hub "
                "id, or set deploy.weights.kind to claim or image"
            )
        return None
    if _HUB_ID.match(source):
        if weights.kind == "image":
            return f"model {model.name} comes from a hub, and deploy.weights.kind is image; name a folder in that image"
        return None
    return (
        f"model {model.name} comes from the folder {source}, which no pod has; name one below {weights.path} "
        "(deploy.weights.path), or a hub id"
    )


def _is_below(source: str, path: str) -> bool:
    return source.startswith(path.rstrip("/") + "/") and ".." not in source.split("/")
