"""From settings to everything that the objects are made of, or the reasons why that cannot work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from podium.config.engine import AutoEngine, OpenVINOEngine, TransformersEngine, VLLMEngine
from podium.config.models import Model
from podium.config.settings import Settings
from podium.deploy import places
from podium.deploy.environments import (
    OVERLAYS,
    PlannedEnvironment,
    Profile,
    capacity_inequalities,
    claim_inequality,
    disk_inequality,
    planned_environments,
)
from podium.deploy.gateway_settings import gateway_file, gateway_inequalities, gateway_problems
from podium.deploy.inequality import Inequality, refuse
from podium.deploy.otlp_collector import Collector, collector_of, collector_problems
from podium.deploy.pod_settings import has_own_redis, receiver_files, run_key_files, secret_files
from podium.deploy.reach import credential_problems, loopback_problems, reach_problems
from podium.deploy.sources import hub_ids, needs_weights, source_problem
from podium.deploy.spreading import spread, spread_inequalities, spread_problems
from podium.deploy.timing import Timings, timing_inequalities, timings_of

RESERVED = frozenset({"controller", "gateway", "redis", "verdict"})
"""Names after which Services of our own are called."""


@dataclass(frozen=True)
class Plan:
    """What is rendered. ``gateway_config`` is the ``podium.yaml`` of gateways and controller.

    ``timings`` hold for every pod but for how long it may start, which each environment knows.
    """

    settings: Settings
    profile: Profile
    timings: Timings
    environments: tuple[PlannedEnvironment, ...]
    gateway_config: str

    @property
    def namespace(self) -> str:
        """Where everything is."""
        return self.settings.deploy.namespace

    @property
    def hub_ids(self) -> list[str]:
        """What is fetched, for all environments."""
        return hub_ids(self.settings.all_models)

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
    def claims_weights(self) -> bool:
        """Whether weights are on a claim."""
        weights = self.settings.deploy.weights
        return needs_weights(self.settings.all_models, weights) and weights.kind == "claim"

    @property
    def route_gateway(self) -> dict[str, str]:
        """The Gateway that the route is attached to."""
        deploy = self.settings.deploy
        place = deploy.route.gateway_namespace or deploy.network.gateway_namespace
        return {"name": deploy.route.gateway, "namespace": place}

    @property
    def own_redis(self) -> bool:
        """Whether Redis is deployed too."""
        return has_own_redis(self.settings)

    @property
    def has_files(self) -> bool:
        """Whether gateways and controller are given files of a secret."""
        return bool(_files(self.settings))

    @property
    def own_gateways(self) -> bool:
        """Whether gateways of ours split traffic."""
        return self.settings.deploy.splitter == "gateway"

    @property
    def pinned(self) -> tuple[PlannedEnvironment, ...]:
        """Environments that clients may reach by name, whatever their weight: where there are several and they may."""
        may = self.settings.gateway.pins == "everyone" and len(self.environments) > 1
        return self.environments if may else ()

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

    def running_slots(self, environment: PlannedEnvironment) -> int:
        """Requests that one pod of it runs at the same time, all models together."""
        return sum(_slots(model.engine, self.profile) for model in environment.settings.models)


def plan_of(settings: Settings, profile: Profile) -> Plan:
    """The plan. Raises ``ConfigurationError`` with every reason why the result would not work."""
    if profile == "gpu":
        settings = spread(settings)
    timings, environments = timings_of(settings), planned_environments(settings)
    problems = list(_problems(settings, environments))
    if profile == "gpu" and not any(map(may_use_a_gpu, settings.all_models)):
        problems.append(
            "the profile is gpu, and no model would use one; set models[].engine to vllm or transformers, or use cpu"
        )
    nodes = settings.deploy.accelerators.nodes if profile == "gpu" else 1
    problems += [problem for each in environments for problem in spread_problems(each.settings, nodes)]
    problems += [each.failure() for each in inequalities(settings, profile) if not each.holds]
    refuse(list(dict.fromkeys(problems)))
    return Plan(settings, profile, timings, tuple(environments), gateway_file(settings, timings))


def may_use_a_gpu(model: Model) -> bool:
    """Whether its engine can; `auto` may choose one that does, except for models in OpenVINO's own format."""
    if isinstance(model.engine, AutoEngine):
        return not model.source.startswith("builtin:")
    return isinstance(model.engine, VLLMEngine | TransformersEngine)


def inequalities(settings: Settings, profile: Profile) -> list[Inequality]:
    """Everything that must hold between the numbers of ``settings``."""
    environments = planned_environments(settings)
    found: list[Inequality] = []
    for each in environments:
        found += timing_inequalities(each.settings, each.timings)
        found += spread_inequalities(each.settings) if profile == "gpu" else ()
    found += capacity_inequalities(settings, environments, profile)
    if settings.deploy.splitter == "gateway":
        found += gateway_inequalities(settings)
    weights = settings.deploy.weights
    mounted = needs_weights(settings.all_models, weights)
    found.append(disk_inequality(settings, own_weights=weights.kind == "init" and mounted))
    claimed = mounted and weights.kind == "claim"
    if claimed and weights.access_mode == "ReadWriteOnce":
        found += [claim_inequality(settings, environments, overlay) for overlay in OVERLAYS]
    return found


def _slots(engine: object, profile: Profile) -> int:
    chosen = VLLMEngine() if profile == "gpu" else OpenVINOEngine()
    found = getattr(engine, "max_batch_sequences", chosen.max_batch_sequences)
    return int(found)


def _problems(settings: Settings, environments: list[PlannedEnvironment]) -> Iterator[str]:
    yield from _of_images(settings, environments)
    yield from _of_environments(settings)
    yield from _of_access(settings)
    yield from reach_problems(settings)
    yield from loopback_problems(settings)
    yield from credential_problems(settings)
    yield from collector_problems(settings)
    yield from _of_route(settings)
    yield from unshared_problems(settings)
    if settings.deploy.splitter == "gateway":
        yield from gateway_problems(settings)
    elif settings.monitor.webhooks:
        yield (
            "monitor.webhooks are set, and no monitor of ours runs here: give them to the cluster's Alertmanager and "
            "leave them out (--set monitor.webhooks=[]), or set deploy.splitter to gateway, whose controller tells them"
        )
    yield from filter(None, (source_problem(model, settings.deploy.weights) for model in settings.all_models))
    for setting, path in _files(settings).items():
        folder, _, name = path.rpartition("/")
        if folder != places.FILES_FOLDER or not name:
            yield f"{setting} is {path}, which no pod has; use {places.FILES_FOLDER}/KEY of {places.FILES_SECRET}"


def _files(settings: Settings) -> dict[str, str]:
    """Everything that must be a key of the secret with files, by setting."""
    return secret_files(settings, settings.all_models) | run_key_files(settings) | receiver_files(settings)


def _of_images(settings: Settings, environments: list[PlannedEnvironment]) -> Iterator[str]:
    deploy = settings.deploy
    if not deploy.image:
        yield "deploy.image is empty; name the image of the server by digest, registry/name@sha256:…"
    if has_own_redis(settings) and not deploy.redis.image:
        yield (
            "redis.url is set and deploy.redis.image is empty; name an image with redis-server by digest, or set "
            "deploy.redis.external if that Redis exists"
        )
    if deploy.weights.kind == "image" and not all(each.weights_image for each in environments):
        yield "deploy.weights.kind is image and deploy.weights.image is empty; name it by digest"
    for name, given in deploy.environments.items():
        if given.weights_image and deploy.weights.kind != "image":
            yield (
                f"deploy.environments.{name}.weights_image is set, and weights come from a {deploy.weights.kind}; set "
                "deploy.weights.kind to image, or leave it out"
            )


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
    for name in sorted(RESERVED & set(known)):
        yield f"environment {name} has the name of one of our own Services; give it another name"
    yield from _of_ports(settings)


def _of_ports(settings: Settings) -> Iterator[str]:
    server = settings.server
    if min(server.port, server.admin_port) < places.LEAST_PORT or server.port == server.admin_port:
        yield (
            f"server.port and server.admin_port must be two different ports of {places.LEAST_PORT} or more in a pod, "
            "whose user may not open others, and which others must know"
        )


def unshared_problems(settings: Settings) -> Iterator[str]:
    """What a server of one machine has and rendered ones do not: a way to the port of gRPC, a folder for batches."""
    if settings.batches.folder:
        yield (
            "batches.folder is a folder of one machine, and what is rendered shares none that can hold files and "
            "batches: leave it out, or render with --set batches.folder=; /v1/files and /v1/batches then answer 501 "
            "there"
        )
    if settings.server.grpc_port is not None:
        yield (
            "server.grpc_port is set, and no Service, route or gateway that is rendered leads to it; render with "
            "--set server.grpc_port=null, and let clients use HTTP"
        )


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
    if settings.gateway.tls is not None:
        yield (
            "gateway.tls is set, and TLS ends in front of what is rendered: at the Gateway that the route is attached "
            "to, or before the Service podium, whose gateways would get the key over the cluster's network; leave it "
            "out"
        )
    if route.tls_secret and not route.host_names:
        yield "deploy.route.tls_secret is set without host_names, which say whose certificate it is; add them"
