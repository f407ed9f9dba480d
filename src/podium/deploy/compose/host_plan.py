"""From settings to what a compose file is made of, or the reasons why that cannot work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version

from podium.config.deploy import DeployedEnvironment
from podium.config.gateway import split_address
from podium.config.models import Model
from podium.config.settings import Settings
from podium.deploy import places
from podium.deploy.environments import Profile
from podium.deploy.gateway_settings import access_log_problems, gateway_inequalities
from podium.deploy.inequality import refuse
from podium.deploy.otlp_collector import own_collector_problems
from podium.deploy.plan import may_use_a_gpu, unshared_problems
from podium.deploy.pod_settings import has_own_redis, receiver_files, secret_files
from podium.deploy.reach import called_outside, credential_problems, is_loopback, loopback_problems
from podium.deploy.sources import hub_ids, needs_weights, source_problem
from podium.deploy.timing import Timings, timing_inequalities, timings_of

RESERVED = ("alertmanager", "gateway", "grafana", "prometheus", "redis", "weights")
"""Names of our own services."""


@dataclass(frozen=True)
class HostEnvironment:
    """One environment whose servers are rendered. ``devices``: ids of the GPUs that its server gets."""

    name: str
    image: str
    replicas: int
    devices: tuple[str, ...]
    settings: Settings

    @property
    def timings(self) -> Timings:
        """Durations of its servers' lives; how long they may start follows from its own models."""
        return timings_of(self.settings)


@dataclass(frozen=True)
class HostPlan:
    """What is rendered, for one host or for a Swarm."""

    settings: Settings
    profile: Profile
    swarm: bool
    timings: Timings

    @property
    def environments(self) -> tuple[HostEnvironment, ...]:
        """Those whose servers are ours to start."""
        deploy, per_replica = self.settings.deploy, self.settings.deploy.accelerators.per_replica
        found: list[HostEnvironment] = []
        for name, given in self.settings.gateway.environments.items():
            deployed = deploy.environments.get(name, DeployedEnvironment())
            replicas = deployed.replicas if self.swarm else given.replicas
            if given.endpoints or not replicas:
                continue
            first = len(found) * per_replica
            devices = range(first, first + per_replica) if self.profile == "gpu" else ()
            image = deployed.image or self.image
            served = self.settings.model_copy(update={"models": self.settings.models_of(name)})
            found.append(HostEnvironment(name, image, replicas, tuple(map(str, devices)), served))
        return tuple(found)

    @property
    def image(self) -> str:
        """Image of gateway and servers; one that was built on this host where none is named."""
        return self.settings.deploy.image or f"podium:{version('podium')}"

    @property
    def models(self) -> tuple[Model, ...]:
        """The models of all environments."""
        return tuple(m for each in self.environments for m in self.settings.models_of(each.name))

    @property
    def hub_ids(self) -> list[str]:
        """What is downloaded first."""
        return hub_ids(self.models)

    @property
    def mounts_weights(self) -> bool:
        """Whether servers mount weights."""
        return needs_weights(self.models, self.settings.deploy.weights)

    @property
    def own_redis(self) -> bool:
        """Whether Redis is rendered."""
        return has_own_redis(self.settings)

    @property
    def monitored(self) -> bool:
        """Whether Prometheus, Alertmanager and Grafana are."""
        return self.settings.deploy.compose.monitoring

    @property
    def calls_outside(self) -> bool:
        """Whether servers may call places outside."""
        return bool(self.settings.deploy.network.egress or self.settings.telemetry.otlp_endpoint)

    @property
    def single(self) -> bool:
        """Whether each environment has one server, so that its name is one server's name."""
        return all(each.replicas == 1 for each in self.environments)

    @property
    def files(self) -> dict[str, str]:
        """Files that the settings name and containers are given, by setting."""
        found = secret_files(self.settings, self.models)
        if (tls := self.settings.gateway.tls) is not None:
            found |= {"gateway.tls.certificate": tls.certificate, "gateway.tls.key": tls.key}
        return found | receiver_files(self.settings)


def host_plan(settings: Settings, profile: Profile, *, swarm: bool) -> HostPlan:
    """The plan. Raises ``ConfigurationError`` with every reason why the result would not work."""
    plan = HostPlan(settings, profile, swarm, timings_of(settings))
    problems = [*_of_access(settings), *_of_addresses(plan), *_of_images(plan), *_of_places(plan), *_of_gpus(plan)]
    relations = [each for served in plan.environments for each in timing_inequalities(served.settings, served.timings)]
    problems += [each.failure() for each in (*relations, *gateway_inequalities(settings)) if not each.holds]
    refuse(list(dict.fromkeys(problems)))
    return plan


def _of_access(settings: Settings) -> Iterator[str]:
    access = settings.access
    if settings.redis.url and access.store == "sqlite":
        yield "access.store is sqlite, so that every server would have keys of its own; use auto or redis"
    if not settings.redis.url and access.jwt is None and access.anonymous != "everywhere":
        yield (
            "no caller could be let in: servers share no keys. Set redis.url (such as redis://redis:6379/0; a Redis is "
            "rendered), access.jwt, or access.anonymous to everywhere if the network is trusted"
        )
    if settings.redis.url.startswith("unix:"):
        yield "redis.url is a socket file, which no container has; use redis:// or rediss://"
    if (wanted := called_outside(settings)) and not settings.deploy.network.egress:
        yield f"servers are on networks that lead nowhere, not to {', '.join(wanted)}; add it to deploy.network.egress"


def _of_addresses(plan: HostPlan) -> Iterator[str]:
    settings = plan.settings
    for name in sorted(set(RESERVED) & set(settings.gateway.environments)):
        yield f"environment {name} has the name of one of our own services; give it another name"
    ports = {"server.port": settings.server.port, "server.admin_port": settings.server.admin_port}
    ports |= {f"gateway.{name}": split_address(getattr(settings.gateway, name))[1] for name in ("listen", "control")}
    for setting in (name for name, port in ports.items() if port == 0):
        yield f"{setting} is 0, which takes any free port, and others must know it; name one"
    for pair in (("server.port", "server.admin_port"), ("gateway.listen", "gateway.control")):
        if ports[pair[0]] == ports[pair[1]]:
            yield f"{pair[0]} and {pair[1]} are the same port in one container; change one of them"
    listen = split_address(settings.gateway.listen)
    if plan.monitored and not plan.swarm and listen[1] == settings.deploy.compose.grafana_port:
        yield "gateway.listen and deploy.compose.grafana_port are the same port of the host; change one of them"
    yield from unshared_problems(settings)
    yield from loopback_problems(settings)
    yield from credential_problems(settings)
    for name, given in settings.gateway.environments.items():
        for endpoint in given.endpoints:
            if is_loopback(endpoint):
                yield (
                    f"environment {name} has the endpoint {endpoint}, where the gateway's container finds only itself; "
                    "name the host as containers know it, such as host.docker.internal or its address"
                )
    yield from _of_shares(plan)


def _of_shares(plan: HostPlan) -> Iterator[str]:
    gateway = plan.settings.gateway
    served = {each.name for each in plan.environments}
    served |= {name for name, given in gateway.environments.items() if given.endpoints}
    for name, share in gateway.starting_weights.items():
        if name not in served and (share or name == gateway.stable_name):
            has = f"has {share:g} % of traffic" if share else "is the stable one"
            yield f"environment {name} {has} and no servers; give it replicas, or take traffic from it"


def _of_images(plan: HostPlan) -> Iterator[str]:
    deploy = plan.settings.deploy
    if plan.swarm and not deploy.image:
        yield "deploy.image is empty, and nodes of a Swarm pull from a registry; name it, registry/name@sha256:…"
    if deploy.weights.kind == "image":
        yield "deploy.weights.kind is image, which only Kubernetes knows; use claim, which is a volume here"
    for name in deploy.environments:
        if name not in plan.settings.gateway.environments:
            known = ", ".join(plan.settings.gateway.environments)
            yield f"deploy.environments names {name}, which is no environment; there are {known}"


def _of_places(plan: HostPlan) -> Iterator[str]:
    yield from access_log_problems(plan.settings)
    yield from filter(None, (source_problem(model, plan.settings.deploy.weights) for model in plan.models))
    yield from own_collector_problems(plan.settings)
    for setting, path in plan.files.items():
        folder, _, name = path.rpartition("/")
        if folder != places.FILES_FOLDER or not name:
            yield f"{setting} is {path}, which no container has; use {places.FILES_FOLDER}/NAME, and put it into files/"


def _of_gpus(plan: HostPlan) -> Iterator[str]:
    if plan.profile != "gpu":
        return
    if not any(map(may_use_a_gpu, plan.models)):
        yield "the profile is gpu, and no model would use one; set models[].engine to vllm or transformers, or use cpu"
    accelerators = plan.settings.deploy.accelerators
    if not plan.swarm and not plan.single:
        yield "the servers of one service share its GPUs; give each environment 1 replica, or use --swarm"
    needed = accelerators.per_replica * sum(each.replicas for each in plan.environments)
    if needed > accelerators.available:
        yield (
            f"accelerators.available >= per_replica * servers does not hold: {accelerators.available} against "
            f"{needed}; say how many GPUs there are (deploy.accelerators.available), or lower replicas"
        )
