"""The same settings for clusters in which Argo Rollouts or Flagger move traffic, judged by Podium's verdict."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from podium.config.settings import Settings
from podium.deploy import places
from podium.deploy.environments import Profile
from podium.deploy.inequality import Inequality, refuse
from podium.deploy.kubernetes import argo, configuration, dashboards, flagger, network, service
from podium.deploy.kubernetes.manifest import Manifest
from podium.deploy.kubernetes.verdict import Watched, verdict_objects
from podium.deploy.losses import Way, check_accepted
from podium.deploy.plan import Plan, plan_of
from podium.deploy.render import Files, Objects, base, download, folder_of, ground, production

_WHOLE = 100


def render_progressive(settings: Settings, profile: Profile, way: Way, accepted: Collection[str]) -> Files:
    """All files for ``way``: the folders `namespace`, `rollout` and, where something is fetched, `weights`.

    Raises ``ConfigurationError`` when a loss of safety was not accepted by name, and with every reason when the result
    could not work.
    """
    check_accepted(way, accepted)
    plan = plan_of(settings, profile)
    refuse(list(_problems(plan, way)))
    more = production(plan)
    objects = {file: [*found, *more.pop(file, [])] for file, found in base(plan).items()} | more
    changed, watched = _with_argo(plan, objects) if way == "argo" else _with_flagger(plan, objects)
    configs = configuration.config_maps(plan, judged=True)
    configs = argo.config_maps(plan, configs) if way == "argo" else configs
    changed["configmap"] = [*configs, *dashboards.dashboards(plan)]
    changed["networkpolicy"] += network.verdict_policies(plan, way)
    for file, found in verdict_objects(plan, watched).items():
        changed[file] = [*changed.get(file, []), *found]
    replicas = {} if way == "argo" else {places.server_name(each.name): each.replicas for each in plan.environments}
    files = {**folder_of("namespace", ground(plan)), **folder_of("rollout", changed, ["../namespace"], replicas)}
    return files | (folder_of("weights", download(plan), ["../namespace"]) if plan.fetches_by_job else {})


def _with_argo(plan: Plan, objects: Objects) -> tuple[Objects, Watched]:
    """A Rollout for the Deployment, a second Service, and a route that leads to both."""
    (environment,) = plan.environments
    stable = places.server_name(environment.name)
    watched = Watched(stable=stable, canary=f"{stable}-canary", route=places.APPLICATION)
    changed = {file: found for file, found in objects.items() if file != "deployment"}
    changed["rollout"] = [argo.rollout(plan, canary=watched.canary, route=watched.route)]
    changed["analysistemplate"] = argo.analysis_templates(plan)
    changed["service"] = [*objects["service"], service.second_service(plan, environment, watched.canary)]
    changed["httproute"] = [_two_ways(route, watched) for route in objects["httproute"]]
    changed["scaledobject"] = [_of_rollout(scaler) for scaler in objects["scaledobject"]]
    return changed, watched


def _two_ways(route: Manifest, watched: Watched) -> Manifest:
    (rule,) = route["spec"]["rules"]
    (backend,) = rule["backendRefs"]
    both = [{**backend, "name": watched.stable, "weight": _WHOLE}, {**backend, "name": watched.canary, "weight": 0}]
    return {**route, "spec": {**route["spec"], "rules": [{**rule, "backendRefs": both}]}}


def _of_rollout(scaler: Manifest) -> Manifest:
    target: dict[str, Any] = {**scaler["spec"]["scaleTargetRef"], "apiVersion": argo.API, "kind": "Rollout"}
    return {**scaler, "spec": {**scaler["spec"], "scaleTargetRef": target}}


def _with_flagger(plan: Plan, objects: Objects) -> tuple[Objects, Watched]:
    """The Deployment and a Canary; Flagger itself makes Services, route and the Deployment that serves."""
    (environment,) = plan.environments
    name = places.server_name(environment.name)
    watched = Watched(stable=f"{name}-primary", canary=f"{name}-canary", route=name)
    changed = {file: found for file, found in objects.items() if file != "httproute"}
    changed["deployment"] = [flagger.target(plan)]
    changed["canary"] = [flagger.canary(plan)]
    changed["service"] = [found for found in objects["service"] if found["metadata"]["name"] != name]
    return changed, watched


def _two_versions(plan: Plan) -> Inequality:
    """The old version keeps all its pods while the new one grows to as many."""
    accelerators = plan.settings.deploy.accelerators
    most = sum(each.most_pods("production", scaled=plan.scaled) for each in plan.environments)
    return Inequality(
        {"accelerators.available": accelerators.available},
        ">=",
        {f"2 versions * {accelerators.per_replica} * pods": 2 * accelerators.per_replica * most},
        "the new version's pods would wait for ever",
        "Raise deploy.accelerators.available or lower replicas.",
    )


def _problems(plan: Plan, way: Way) -> Iterator[str]:
    yield from _of_steps(plan.settings.rollout.steps, way)
    deploy = plan.settings.deploy
    if plan.profile == "gpu" and not (fits := _two_versions(plan)).holds:
        yield fits.failure()
    if len(plan.environments) != 1:
        yield f"{way} makes the second version itself; leave one environment in gateway.environments"
    if plan.nodes > 1:
        yield f"one copy of the server takes {plan.nodes} nodes, and {way} rolls Deployments only"
    if plan.own_gateways:
        yield f"deploy.splitter is gateway, and {way} moves the weights of a route; set it to route"
    if deploy.route.kind != "gateway-api":
        yield f"{way} moves the weights of an HTTPRoute; set deploy.route.kind to gateway-api"
    if not plan.monitored:
        yield "the verdict counts by the servers' metrics; set deploy.monitoring to pod-monitor and make its key"
    if not deploy.network.api_server:
        yield "the verdict looks at the route; add the API server's address to deploy.network.api_server"
    if way == "flagger" and plan.scaled:
        yield "Flagger makes a scaler of its own for the Deployment that serves; set deploy.autoscaling.kind to none"
    if way == "argo" and deploy.autoscaling.kind == "hpa":
        yield "the HorizontalPodAutoscaler of a Rollout is not rendered; set deploy.autoscaling.kind to keda or none"


def _of_steps(steps: tuple[float, ...], way: Way) -> Iterator[str]:
    uneven = [step for step in steps if step != int(step)]
    if uneven:
        yield f"rollout.steps has {uneven[0]:g}, and {way} knows whole per cents only"
    if len(steps) < 2:
        yield "rollout.steps goes to 100 at once, where nothing can be compared; add a step before"
