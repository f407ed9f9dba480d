"""The environments of the gateway as Deployments: how many pods each, and whether they fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from podium.config.deploy import DeployedEnvironment
from podium.config.settings import Settings
from podium.deploy import places
from podium.deploy.inequality import Inequality
from podium.deploy.pod_settings import pod_file, run_key_files, secret_files
from podium.deploy.quantity import quantity
from podium.deploy.sources import hub_ids, needs_weights
from podium.deploy.timing import Timings, timings_of

Profile = Literal["cpu", "gpu"]
Overlay = Literal["dev", "production"]
OVERLAYS: tuple[Overlay, ...] = ("dev", "production")
SURGE = "rollout surge"  # no environment has such a name
WEIGHT_UNITS = 100  # of an HTTPRoute, for one per cent: hundredths of a per cent are the smallest share


@dataclass(frozen=True)
class PlannedEnvironment:
    """One Deployment: its image, its pods in each overlay, and its share of traffic in per cent.

    ``settings`` are those of its servers: an environment may have models of its own. ``weights_image`` is empty where
    weights are no image.
    """

    name: str
    image: str
    weights_image: str
    settings: Settings
    replicas: int
    max_replicas: int
    dev_replicas: int
    share: float

    @property
    def timings(self) -> Timings:
        """Durations of its pods' lives; how long they may start follows from its own models."""
        return timings_of(self.settings)

    @property
    def config_map(self) -> str:
        """Name of the ConfigMap that its servers read: one for all that serve the same, else its own."""
        own = bool(self.settings.gateway.environments[self.name].models)
        return f"{places.CONFIG_MAP}-{self.name}" if own else places.CONFIG_MAP

    @property
    def config(self) -> str:
        """``podium.yaml`` of its servers."""
        return pod_file(self.settings, self.timings)

    @property
    def hub_ids(self) -> list[str]:
        """What is fetched for it."""
        return hub_ids(self.settings.models)

    @property
    def mounts_weights(self) -> bool:
        """Whether its pods mount weights."""
        return needs_weights(self.settings.models, self.settings.deploy.weights)

    @property
    def has_files(self) -> bool:
        """Whether its pods are given files of a secret."""
        return bool(secret_files(self.settings, self.settings.models) | run_key_files(self.settings))

    @property
    def weight(self) -> int:
        """Its weight in a route, of 10,000."""
        return round(self.share * WEIGHT_UNITS)

    def most_pods(self, overlay: Overlay, *, scaled: bool) -> int:
        """The most pods that it has at rest."""
        if overlay == "dev":
            return self.dev_replicas
        return self.max_replicas if scaled and self.replicas else self.replicas


def planned_environments(settings: Settings) -> list[PlannedEnvironment]:
    """Every environment of the gateway, in its order."""
    deploy, shares = settings.deploy, settings.gateway.starting_weights
    found = []
    for name in settings.gateway.environments:
        given = deploy.environments.get(name, DeployedEnvironment())
        found.append(
            PlannedEnvironment(
                name=name,
                image=given.image or deploy.image,
                weights_image=given.weights_image or deploy.weights.image,
                settings=settings.model_copy(update={"models": settings.models_of(name)}),
                replicas=given.replicas,
                max_replicas=given.max_replicas,
                dev_replicas=given.dev_replicas,
                share=shares[name],
            )
        )
    return found


def pods_with_surge(settings: Settings, environments: list[PlannedEnvironment], overlay: Overlay) -> dict[str, float]:
    """The most pods at the same time, by what they are there for."""
    scaled = settings.deploy.autoscaling.kind != "none"
    pods = {each.name: float(each.most_pods(overlay, scaled=scaled)) for each in environments}
    surge = settings.deploy.strategy == "rolling"
    return {**pods, SURGE: float(sum(count > 0 for count in pods.values())) if surge else 0.0}


def capacity_inequalities(
    settings: Settings, environments: list[PlannedEnvironment], profile: Profile
) -> Iterator[Inequality]:
    """What must hold between pods, GPUs and volumes."""
    if profile == "gpu":
        for overlay in OVERLAYS:
            yield from _of_accelerators(settings, pods_with_surge(settings, environments, overlay), overlay)
    for each in environments:
        if settings.deploy.autoscaling.kind != "none" and each.replicas:
            yield Inequality(
                {f"environments.{each.name}.max_replicas": each.max_replicas},
                ">=",
                {f"environments.{each.name}.replicas": each.replicas},
                "the scaler would have no room",
                f"Raise deploy.environments.{each.name}.max_replicas.",
            )


def claim_inequality(settings: Settings, environments: list[PlannedEnvironment], overlay: Overlay) -> Inequality:
    """A claim that one node holds, against the pods that want it."""
    pods = pods_with_surge(settings, environments, overlay)
    return Inequality(
        {"nodes that a ReadWriteOnce claim serves": 1},
        ">=",
        pods,
        f"in the overlay {overlay} pods on another node would wait for the volume for ever",
        "Use a storage class with ReadWriteMany, or one pod and the strategy recreate-one.",
    )


def disk_inequality(settings: Settings, *, own_weights: bool) -> Inequality:
    """A pod's disk, against everything that may be written to it."""
    given, weights = settings.deploy.resources, settings.deploy.weights
    wanted = {"resources.cache": given.cache, "resources.temporary": given.temporary}
    if own_weights:
        wanted = {"weights.size": weights.size, **wanted}
    return Inequality(
        {"resources.ephemeral_storage": _gib(given.ephemeral_storage)},
        ">=",
        {f"{name} (GiB)": _gib(size) for name, size in wanted.items()},
        "a pod would be evicted when its volumes fill",
        "Raise deploy.resources.ephemeral_storage or lower the others.",
    )


def _gib(text: str) -> float:
    return round(quantity(text) / 2**30, 3)


def _of_accelerators(settings: Settings, pods: dict[str, float], overlay: Overlay) -> Iterator[Inequality]:
    accelerators = settings.deploy.accelerators
    per_pod = accelerators.per_replica
    yield Inequality(
        {"accelerators.available": accelerators.available},
        ">=",
        {f"{per_pod} * {SURGE if name == SURGE else f'pods of {name}'}": per_pod * n for name, n in pods.items()},
        f"in the overlay {overlay} the pods beyond it would wait for ever, and a rollout with them",
        "Say how many GPUs there are (deploy.accelerators.available), lower replicas, or set deploy.strategy to "
        "recreate-one.",
    )
