"""From settings to everything that the objects are made of, or the reasons why that cannot work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from podium.config.engine import AutoEngine, OpenVINOEngine, RemoteEngine, TransformersEngine, VLLMEngine
from podium.config.models import Model
from podium.config.settings import Settings
from podium.deploy import places
from podium.deploy.environments import (
    OVERLAYS,
    PlannedEnvironment,
    Profile,
    capacity_inequalities,
    claim_inequality,
    own_weights_inequality,
    planned_environments,
)
from podium.deploy.gateway_settings import gateway_file, gateway_inequalities, gateway_problems
from podium.deploy.inequality import Inequality, refuse
from podium.deploy.otlp_collector import Collector, collector_of, collector_problems
from podium.deploy.pod_settings import has_own_redis, pod_file, secret_files
from podium.deploy.sources import hub_ids, needs_weights, source_problem
from podium.deploy.spreading import spread, spread_inequalities, spread_problems
from podium.deploy.timing import Timings, timing_inequalities, timings_of


@dataclass(frozen=True)
class Plan:
    """What is rendered. ``config`` is the pods' ``podium.yaml``, ``gateway_config`` that of gateways and controller."""

    settings: Settings
    profile: Profile
    timings: Timings
    environments: tuple[PlannedEnvironment, ...]
    config: str
    gateway_config: str

    @property
    def namespace(self) -> str:
        """Where everything is."""
        return self.settings.deploy.namespace

    @property
    def hub_ids(self) -> list[str]:
        """What is fetched."""
        return hub_ids(self.settings.models)

    @property
    def fetches_by_job(self) -> bool:
        """Whether a job fills the claim, for all pods."""
        return bool(self.hub_ids) and self.settings.deploy.weights.kind == "claim"

    @property
    def fetches_by_pod(self) -> bool:
        """Whether each pod fetches its own."""
        return bool(self.hub_ids) and self.settings.deploy.weights.kind == "init"

    @property
    def nodes(self) -> int:
        """Pods of one copy of the server: above 1 a copy is a group with a leader."""
        return self.settings.deploy.accelerators.nodes if self.profile == "gpu" else 1

    @property
    def mounts_weights(self) -> bool:
        """Whether pods mount weights."""
        return needs_weights(self.settings.models, self.settings.deploy.weights)

    @property
    def claims_weights(self) -> bool:
        """Whether the weights are on a claim."""
        return self.mounts_weights and self.settings.deploy.weights.kind == "claim"

    @property
    def own_redis(self) -> bool:
        """Whether Redis is deployed too."""
        return has_own_redis(self.settings)

    @property
    def has_files(self) -> bool:
        """Whether pods are given files of a secret."""
        return bool(secret_files(self.settings))

    @property
    def own_gateways(self) -> bool:
        """Whether gateways of ours split traffic."""
        return self.settings.deploy.splitter == "gateway"

    @property
    def scaled(self) -> bool:
        """Whether a scaler owns the number of pods in production."""
        return self.settings.deploy.autoscaling.kind != "none"

    @property
    def monitored(self) -> bool:
        """Whether Prometheus is told of the pods."""
        return self.settings.deploy.monitoring != "none"

    @property
    def collector(self) -> Collector | None:
        """Where traces and metrics are sent, if they are."""
        return collector_of(self.settings)

    @property
    def running_slots(self) -> int:
        """Requests that one pod runs at the same time, all models together."""
        return sum(_slots(model.engine, self.profile) for model in self.settings.models)


def plan_of(settings: Settings, profile: Profile) -> Plan:
    """The plan. Raises ``ConfigurationError`` with every reason why the result would not work."""
    if profile == "gpu":
        settings = spread(settings)
    timings, environments = timings_of(settings), planned_environments(settings)
    problems = list(_problems(settings))
    if profile == "gpu" and not any(map(may_use_a_gpu, settings.models)):
        problems.append(
            "the profile is gpu, and no model would use one; set models[].engine to vllm or transformers, or use cpu"
        )
    problems += spread_problems(settings, settings.deploy.accelerators.nodes if profile == "gpu" else 1)
    problems += [each.failure() for each in inequalities(settings, profile) if not each.holds]
    refuse(problems)
    configs = pod_file(settings, timings), gateway_file(settings, timings)
    return Plan(settings, profile, timings, tuple(environments), *configs)


def may_use_a_gpu(model: Model) -> bool:
    """Whether its engine can; `auto` may choose one that does, except for models in OpenVINO's own format."""
    if isinstance(model.engine, AutoEngine):
        return not model.source.startswith("builtin:")
    return isinstance(model.engine, VLLMEngine | TransformersEngine)


def inequalities(settings: Settings, profile: Profile) -> list[Inequality]:
    """Everything that must hold between the numbers of ``settings``."""
    timings, environments = timings_of(settings), planned_environments(settings)
    found: list[Inequality] = [
        *timing_inequalities(settings, timings),
        *capacity_inequalities(settings, environments, profile),
        *(spread_inequalities(settings) if profile == "gpu" else ()),
    ]
    if settings.deploy.splitter == "gateway":
        found += gateway_inequalities(settings)
    weights = settings.deploy.weights
    if weights.kind == "init" and needs_weights(settings.models, weights):
        found.append(own_weights_inequality(settings))
    claimed = needs_weights(settings.models, weights) and weights.kind == "claim"
    if claimed and weights.access_mode == "ReadWriteOnce":
        found += [claim_inequality(settings, environments, overlay) for overlay in OVERLAYS]
    return found


def _slots(engine: object, profile: Profile) -> int:
    chosen = VLLMEngine() if profile == "gpu" else OpenVINOEngine()
    found = getattr(engine, "max_batch_sequences", chosen.max_batch_sequences)
    return int(found)


def _problems(settings: Settings) -> Iterator[str]:
    yield from _of_images(settings)
    yield from _of_environments(settings)
    yield from _of_access(settings)
    yield from _of_reach(settings)
    yield from collector_problems(settings)
    yield from _of_route(settings)
    if settings.batches.folder:
        yield (
            "batches.folder is a folder of one machine, and pods share none that can hold files and batches: leave it "
            "out, or render with --set batches.folder=; /v1/files and /v1/batches then answer 501 in the cluster"
        )
    if settings.deploy.splitter == "gateway":
        yield from gateway_problems(settings)
    for model in settings.models:
        problem = source_problem(model, settings.deploy.weights)
        if problem:
            yield problem
    for setting, path in secret_files(settings).items():
        folder, _, name = path.rpartition("/")
        if folder != places.FILES_FOLDER or not name:
            yield f"{setting} is {path}, which no pod has; use {places.FILES_FOLDER}/KEY of {places.FILES_SECRET}"


def _of_images(settings: Settings) -> Iterator[str]:
    deploy = settings.deploy
    if not deploy.image:
        yield "deploy.image is empty; name the image of the server by digest, registry/name@sha256:…"
    if has_own_redis(settings) and not deploy.redis.image:
        yield (
            "redis.url is set and deploy.redis.image is empty; name an image with redis-server by digest, or set "
            "deploy.redis.external if that Redis exists"
        )
    if deploy.weights.kind == "image" and not deploy.weights.image:
        yield "deploy.weights.kind is image and deploy.weights.image is empty; name it by digest"


def _of_environments(settings: Settings) -> Iterator[str]:
    known = settings.gateway.environments
    for name in settings.deploy.environments:
        if name not in known:
            yield f"deploy.environments names {name}, which is no environment; there are {', '.join(known)}"
    for name, given in known.items():
        if given.endpoints:
            yield f"environment {name} has endpoints, which are no pods; give it replicas, or leave it out here"
    for each in planned_environments(settings):
        if each.share and not (each.replicas and each.dev_replicas):
            yield f"environment {each.name} has {each.share:g} % of traffic and no pods; give it replicas, or weight 0"
    ports = {"server.port": settings.server.port, "server.admin_port": settings.server.admin_port}
    if 0 in ports.values() or len(set(ports.values())) != len(ports):
        yield "server.port and server.admin_port must be two different ports, neither of them 0, in a pod"


def _of_access(settings: Settings) -> Iterator[str]:
    access = settings.access
    in_redis = bool(settings.redis.url) and access.store != "sqlite"
    if settings.redis.url and access.store == "sqlite":
        yield "access.store is sqlite, so that every pod would have keys of its own; use auto or redis"
    if not in_redis and access.jwt is None and access.anonymous != "everywhere":
        yield (
            "no caller could be let in: pods share no keys. Set redis.url, access.jwt, or access.anonymous to "
            "everywhere if the network is trusted"
        )
    if settings.deploy.monitoring != "none" and not in_redis and access.jwt is None:
        yield (
            "deploy.monitoring is pod-monitor, and /metrics takes a key with the role metrics, which cannot exist "
            "without redis.url or access.jwt; set one of them, or deploy.monitoring to none"
        )
    if settings.deploy.autoscaling.kind != "none" and settings.deploy.monitoring == "none":
        yield "deploy.autoscaling needs the metric that deploy.monitoring brings; a scaler without it never scales"


def _of_reach(settings: Settings) -> Iterator[str]:
    wanted = [
        f"the engine of model {model.name}" for model in settings.models if isinstance(model.engine, RemoteEngine)
    ]
    if settings.access.jwt is not None and "://" in settings.access.jwt.jwks:
        wanted.append("access.jwt.jwks")
    if settings.redis.url and settings.deploy.redis.external:
        wanted.append("redis.url")
    if settings.redis.url.startswith("unix:"):
        yield "redis.url is a socket file, which no pod has; use redis:// or rediss://"
    if wanted and not settings.deploy.network.egress:
        yield f"network policies would keep pods from {', '.join(wanted)}; add its address to deploy.network.egress"


def _of_route(settings: Settings) -> Iterator[str]:
    route, environments = settings.deploy.route, planned_environments(settings)
    split = settings.deploy.splitter == "route" and len(environments) > 1
    if route.kind == "ingress" and split:
        yield (
            "deploy.route.kind is ingress, which has no weights, and there are several environments; use gateway-api, "
            "or set deploy.splitter to gateway"
        )
    uneven = [each for each in environments if each.share != int(each.share)]
    if route.kind == "istio" and split and uneven:
        yield (
            f"environment {uneven[0].name} has {uneven[0].share:g} % of traffic, and a VirtualService knows whole per "
            "cents only; round it, or use gateway-api"
        )
    if route.tls_secret and not route.host_names:
        yield "deploy.route.tls_secret is set without host_names, which say whose certificate it is; add them"
