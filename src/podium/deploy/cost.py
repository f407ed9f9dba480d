"""What the rendered pods cost in an hour, and what a million tokens cost then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from podium.core.errors import ConfigurationError
from podium.deploy import places
from podium.deploy.environments import PlannedEnvironment
from podium.deploy.kubernetes import accelerators
from podium.deploy.kubernetes.controller import controllers
from podium.deploy.kubernetes.deployment import pod_template, server_container
from podium.deploy.kubernetes.gateway import gateway_deployments
from podium.deploy.kubernetes.manifest import Manifest
from podium.deploy.kubernetes.redis import stateful_sets
from podium.deploy.kubernetes.weights import claims
from podium.deploy.plan import Plan
from podium.deploy.prices import Prices
from podium.deploy.quantity import quantity

_GIB = 2.0**30
_SECONDS_AN_HOUR = 3600
_MILLION = 1e6
_STANDARD = {"cpu", "memory", "ephemeral-storage"}


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of pod: how many there are, at the least and at the most, and what one of them takes and costs.

    Disk is what stays (claims), not the node's own. For the claim of weights ``pods_least`` and ``pods_most`` are 1.
    """

    name: str
    pods_least: int
    pods_most: int
    cpu_cores: float
    memory_gib: float
    disk_gib: float
    accelerators: dict[str, float]
    hour: float


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in production, with the fewest pods (where a scaler owns them: without load) and with the most.

    ``million_tokens``: output tokens, at the measured pace, of pods that are as busy as they were then; None without a
    measurement. The fixed parts (gateways, Redis, …) weigh least with the most pods, hence two figures.
    """

    currency: str
    lines: tuple[Line, ...]
    hour_least: float
    hour_most: float
    million_tokens_least_pods: float | None = None
    million_tokens_most_pods: float | None = None


def cost_of(plan: Plan, prices: Prices, tokens_per_second: float | None = None) -> Cost:
    """The cost. ``tokens_per_second``: what one server pod gives.

    Raises ``ConfigurationError`` when the table has no price for an accelerator that pods take.
    """
    lines = tuple(_lines(plan, prices))
    servers = [each for each in plan.environments if each.replicas]
    least, most = (sum(_pods(plan, each)[which] for each in servers) for which in (0, 1))
    hour_least = sum(line.hour * line.pods_least for line in lines)
    hour_most = sum(line.hour * line.pods_most for line in lines)
    return Cost(
        currency=prices.currency,
        lines=lines,
        hour_least=round(hour_least, 6),
        hour_most=round(hour_most, 6),
        million_tokens_least_pods=_of_million(hour_least, tokens_per_second, least),
        million_tokens_most_pods=_of_million(hour_most, tokens_per_second, most),
    )


def _of_million(hour: float, tokens_per_second: float | None, pods: int) -> float | None:
    if tokens_per_second is None or not pods:
        return None
    return round(hour / (tokens_per_second * pods * _SECONDS_AN_HOUR) * _MILLION, 6)


def _lines(plan: Plan, prices: Prices) -> Iterator[Line]:
    devices = accelerators.claimed(plan)
    for environment in plan.environments:
        labels, name = places.labels("server", environment.name), places.server_name(environment.name)
        template = pod_template(plan, environment, labels, server_container(plan, environment))
        workload = {"metadata": {"name": name}, "spec": {"template": template}}
        least, most = _pods(plan, environment)
        yield _line(workload, (plan.nodes * least, plan.nodes * most), prices, devices)
    gateways = plan.settings.deploy.gateway.replicas
    for deployment in gateway_deployments(plan):
        yield _line(deployment, (gateways, gateways), prices)
    for workload in (*controllers(plan), *stateful_sets(plan)):
        yield _line(workload, (1, 1), prices)
    for claim in claims(plan):
        disk = quantity(claim["spec"]["resources"]["requests"]["storage"]) / _GIB
        yield _priced(claim["metadata"]["name"], (1, 1), {}, disk, prices)


def _pods(plan: Plan, environment: PlannedEnvironment) -> tuple[int, int]:
    return environment.replicas, environment.most_pods("production", scaled=plan.scaled)


def _line(
    workload: Manifest, pods: tuple[int, int], prices: Prices, devices: Mapping[str, float] | None = None
) -> Line:
    containers = workload["spec"]["template"]["spec"]["containers"]
    amounts: dict[str, float] = dict(devices or {})
    for container in containers:
        for name, value in container["resources"]["requests"].items():
            amounts[name] = amounts.get(name, 0.0) + quantity(str(value))
    claimed = workload["spec"].get("volumeClaimTemplates", [])
    disk = sum(quantity(claim["spec"]["resources"]["requests"]["storage"]) for claim in claimed) / _GIB
    return _priced(workload["metadata"]["name"], pods, amounts, disk, prices)


def _priced(name: str, pods: tuple[int, int], amounts: dict[str, float], disk: float, prices: Prices) -> Line:
    accelerators = {resource: amount for resource, amount in amounts.items() if resource not in _STANDARD}
    for resource in accelerators:
        if resource not in prices.accelerator_hour:
            raise ConfigurationError(
                f"The table has no price for {resource}, which {name} takes; add it to accelerator_hour."
            )
    cpu, memory = amounts.get("cpu", 0.0), amounts.get("memory", 0.0) / _GIB
    hour = cpu * prices.cpu_core_hour + memory * prices.memory_gib_hour + disk * prices.disk_gib_hour
    hour += sum(amount * prices.accelerator_hour[resource] for resource, amount in accelerators.items())
    return Line(
        name=name,
        pods_least=pods[0],
        pods_most=pods[1],
        cpu_cores=cpu,
        memory_gib=round(memory, 3),
        disk_gib=round(disk, 3),
        accelerators=accelerators,
        hour=round(hour, 6),
    )
