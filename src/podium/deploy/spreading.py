"""One copy of a model over several GPUs, and over several nodes: the sizes that vLLM is given, and whether they fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from podium.config.deploy import Accelerators
from podium.config.engine import EchoEngine, OpenVINOEngine, RemoteEngine, VLLMEngine
from podium.config.models import Model
from podium.config.settings import Settings
from podium.deploy.inequality import Inequality

_WITHOUT_GPU = (EchoEngine, OpenVINOEngine, RemoteEngine)
_SIZES = {"tensor_parallel", "pipeline_parallel"}


def spread(settings: Settings) -> Settings:
    """The settings with the sizes that nobody has set: all GPUs of a pod, if one model alone has them.

    Tensor parallelism within a node, where GPUs are joined by more than a network; a stage of the pipeline for each.
    """
    given, gateway = settings.deploy.accelerators, settings.gateway
    changed: dict[str, Any] = {"models": _spread(settings.models, given)}
    if any(each.models for each in gateway.environments.values()):
        environments = {
            name: each.model_copy(update={"models": _spread(each.models, given)}) if each.models else each
            for name, each in gateway.environments.items()
        }
        changed["gateway"] = gateway.model_copy(update={"environments": environments})
    return settings.model_copy(update=changed)


def spread_problems(settings: Settings, nodes: int) -> list[str]:
    """Why a copy cannot be spread over ``nodes``, in this way."""
    found = [
        f"model {model.name} has engine.nodes {model.engine.nodes}, and a copy takes {nodes} here; leave it out, and "
        "set accelerators.per_replica and per_node"
        for model in settings.models
        if isinstance(model.engine, VLLMEngine) and model.engine.nodes != nodes
    ]
    if nodes == 1:
        return found
    if not _alone(settings.models) or not any(isinstance(model.engine, VLLMEngine) for model in settings.models):
        found.append(
            f"one copy takes {nodes} nodes (accelerators.per_replica and per_node), which works for exactly one "
            "model, with the engine vllm; serve others by a server of their own"
        )
    if settings.deploy.weights.kind == "init":
        found.append(
            "deploy.weights.kind is init, and every node would fetch the weights of the whole copy; use claim or image"
        )
    if settings.deploy.mesh.kind != "none":
        found.append(
            "deploy.mesh is set, and its proxies would stand between the GPUs of one copy; leave it out, and end TLS "
            "before the Service"
        )
    return found


def spread_inequalities(settings: Settings) -> Iterator[Inequality]:
    """What must hold between the GPUs of a copy and the sizes of its models."""
    given = settings.deploy.accelerators
    for model in settings.models:
        if not isinstance(model.engine, VLLMEngine):
            continue
        yield Inequality(
            {"accelerators.per_replica": given.per_replica},
            ">=",
            {f"tensor_parallel * pipeline_parallel of model {model.name}": model.engine.gpus},
            "the model could not be loaded",
            "Raise deploy.accelerators.per_replica, or lower the engine's sizes.",
        )
        if given.nodes > 1:
            yield from _of_nodes(given, model.name, model.engine)
    if given.are_slices:
        yield Inequality(
            {"slices of a GPU that one model can use": 1},
            ">=",
            {"accelerators.per_replica": given.per_replica},
            "slices are walled off from each other, and the others would be paid for and idle",
            "Set deploy.accelerators.per_replica to 1 and take a larger slice, or whole GPUs.",
        )


def _of_nodes(given: Accelerators, name: str, engine: VLLMEngine) -> Iterator[Inequality]:
    yield Inequality(
        {f"tensor_parallel * pipeline_parallel of model {name}": engine.gpus},
        ">=",
        {f"{given.nodes} nodes * accelerators.per_node": given.nodes * given.per_node},
        "GPUs of a node would be taken and not used",
        "Raise the engine's sizes, or make per_replica a multiple of per_node that they fill.",
    )
    yield Inequality(
        {"accelerators.per_node": given.per_node},
        ">=",
        {f"tensor_parallel of model {name}": engine.tensor_parallel},
        "every layer would wait for the network between nodes",
        "Lower tensor_parallel and raise pipeline_parallel.",
    )


def _spread(models: tuple[Model, ...], given: Accelerators) -> tuple[Model, ...]:
    alone = _alone(models)
    return tuple(
        model.model_copy(update={"engine": _sized(model.engine, given, alone=alone)})
        if isinstance(model.engine, VLLMEngine)
        else model
        for model in models
    )


def _alone(models: tuple[Model, ...]) -> bool:
    """Whether one model alone may use the GPUs."""
    return sum(not isinstance(model.engine, _WITHOUT_GPU) for model in models) == 1


def _sized(engine: VLLMEngine, given: Accelerators, *, alone: bool) -> VLLMEngine:
    changed: dict[str, Any] = {}
    if alone and not _SIZES & engine.model_fields_set:
        changed = {"tensor_parallel": given.per_pod, "pipeline_parallel": given.nodes}
    if given.nodes > 1 and "nodes" not in engine.model_fields_set:
        changed["nodes"] = given.nodes
    return engine.model_copy(update=changed)
