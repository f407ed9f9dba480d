"""From a plan to files: a base, what it stands on, and an overlay for each place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from podium.config.settings import Settings
from podium.deploy import places
from podium.deploy.environments import Profile
from podium.deploy.folder import refuse_foreign, replace
from podium.deploy.kubernetes import (
    accelerators,
    accounts,
    alerting,
    autoscaling,
    collecting,
    configuration,
    controller,
    dashboards,
    deployment,
    disruption,
    entrances,
    gateway,
    groups,
    horizontal,
    monitoring,
    namespace,
    network,
    redis,
    route,
    service,
    weights,
)
from podium.deploy.kubernetes.kustomization import FILE, kustomization
from podium.deploy.kubernetes.manifest import MARK, Manifest, to_yaml
from podium.deploy.plan import Plan, plan_of

Files = dict[str, str]
"""Text by path below the folder, with ``/``."""
Objects = dict[str, list[Manifest]]
"""Objects by the name of their file."""


def render(settings: Settings, profile: Profile) -> Files:
    """All files, in a fixed order: the same bytes for the same settings.

    Raises ``ConfigurationError`` with every reason when the result could not work.
    """
    plan = plan_of(settings, profile)
    files = {
        **folder_of("namespace", ground(plan)),
        **folder_of("base", base(plan), ["../namespace"]),
        **folder_of("overlays/dev", development(plan), ["../../base"], _replicas(plan, dev=True)),
        **folder_of("overlays/production", production(plan), ["../../base"], _replicas(plan, dev=False)),
    }
    if plan.settings.deploy.logging.kind != "none":
        files |= folder_of("logging", {"configmap": collecting.collector_configs(plan)})
    if plan.fetches_by_job:
        files |= folder_of("weights", download(plan), ["../namespace"])
    return files


def write(files: Mapping[str, str], folder: Path) -> None:
    """Write ``files`` below ``folder`` and remove what an earlier rendering left there.

    Raises ``ConfigurationError`` when the folder holds YAML that was not rendered, which is never touched.
    """
    old = sorted(folder.rglob("*.yaml")) if folder.is_dir() else []
    refuse_foreign(old, MARK)
    replace(old, files, folder)


def folder_of(
    name: str,
    objects: Objects,
    below: list[str] | None = None,
    replicas: Mapping[str, int] | None = None,
) -> Files:
    """A Kustomize folder: one file for each kind, and what is below it."""
    kept = {file: found for file, found in objects.items() if found}
    files = {f"{name}/{file}.yaml": to_yaml(found) for file, found in kept.items()}
    listed = [*(below or []), *(f"{file}.yaml" for file in kept)]
    return {**files, f"{name}/{FILE}": kustomization(listed, replicas)}


def ground(plan: Plan) -> Objects:
    """What everything else stands on, by file."""
    return {
        "namespace": [namespace.namespace(plan)],
        "networkpolicy": [network.default_deny(plan)],
        "persistentvolumeclaim": weights.claims(plan),
    }


def base(plan: Plan) -> Objects:
    """What every overlay has."""
    return {
        "configmap": [*configuration.config_maps(plan), *dashboards.dashboards(plan)],
        "deployment": [*deployment.deployments(plan), *gateway.gateway_deployments(plan)],
        "httproute": route.routes(plan),
        "ingress": entrances.ingresses(plan),
        "networkpolicy": network.network_policies(plan),
        "podmonitor": monitoring.pod_monitors(plan),
        "prometheusrule": alerting.prometheus_rules(plan),
        "resourceclaimtemplate": accelerators.claim_templates(plan),
        "role": controller.roles(plan),
        "rolebinding": controller.role_bindings(plan),
        "virtualservice": entrances.virtual_services(plan),
        "service": service.services(plan),
        "serviceaccount": accounts.service_accounts(plan),
        "statefulset": [*redis.stateful_sets(plan), *controller.controllers(plan)],
    }


def development(plan: Plan) -> Objects:
    """What the overlay for development has on top."""
    return {"leaderworkerset": groups.leader_worker_sets(plan, dev=True)}


def production(plan: Plan) -> Objects:
    """What production has on top."""
    return {
        "configmap": horizontal.adapter_rules(plan),
        "horizontalpodautoscaler": horizontal.autoscalers(plan),
        "leaderworkerset": groups.leader_worker_sets(plan, dev=False),
        "poddisruptionbudget": disruption.disruption_budgets(plan),
        "prometheusrule": alerting.scaler_rules(plan),
        "scaledobject": autoscaling.scaled_objects(plan),
    }


def download(plan: Plan) -> Objects:
    """What fetches weights."""
    return {
        "job": weights.jobs(plan),
        "networkpolicy": [network.download_policy(plan)],
        "serviceaccount": [accounts.service_account(plan, places.WEIGHTS)],
    }


def _replicas(plan: Plan, *, dev: bool) -> dict[str, int]:
    """Pods by Deployment; where a scaler owns the number, nobody else says one."""
    owned = [] if dev or not plan.scaled else [each for each in plan.environments if each.replicas]
    found = {
        places.server_name(each.name): each.dev_replicas if dev else each.replicas
        for each in (plan.environments if plan.nodes == 1 else ())
        if each not in owned
    }
    if plan.own_gateways:
        given = plan.settings.deploy.gateway
        found[places.GATEWAY] = given.dev_replicas if dev else given.replicas
    return found
