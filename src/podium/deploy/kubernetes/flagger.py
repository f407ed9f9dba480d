"""Flagger: a Canary beside the Deployment, which asks for Podium's verdict before each move."""

from __future__ import annotations

from typing import Any

from podium.deploy import places
from podium.deploy.kubernetes.deployment import deployments
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.kubernetes.verdict import url
from podium.deploy.plan import Plan

OWN_LABEL = "app"
"""The label that Flagger changes in the pods that serve; all others stay, so that policies and monitors mean both."""
_CHECK_SECONDS = 10
_FAILURES = 10


def target(plan: Plan) -> Manifest:
    """The one environment's Deployment, selecting by the label that Flagger needs and by no other, as it demands."""
    (deployment,) = deployments(plan)
    own = {OWN_LABEL: deployment["metadata"]["name"]}
    spec = dict(deployment["spec"])
    spec["selector"] = {"matchLabels": own}
    template = spec["template"]
    labels = {**own, **template["metadata"]["labels"]}
    spec["template"] = {**template, "metadata": {**template["metadata"], "labels": labels}}
    return {**deployment, "spec": spec}


def canary(plan: Plan) -> Manifest:
    """Flagger makes the Services and the HTTPRoute itself, and a second Deployment that serves."""
    (environment,) = plan.environments
    name = places.server_name(environment.name)
    route = plan.settings.deploy.route
    service: dict[str, Any] = {
        "port": plan.settings.server.port,
        "portName": places.TRAFFIC_PORT,
        "targetPort": places.TRAFFIC_PORT,
        "timeout": "0s",
        "gatewayRefs": [plan.route_gateway],
        **({"hosts": list(route.host_names)} if route.host_names else {}),
    }
    shares = [int(share) for share in plan.settings.rollout.steps if share < 100]
    spec = {
        "provider": "gatewayapi:v1",
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "progressDeadlineSeconds": environment.timings.progress_deadline_seconds,
        "service": service,
        "analysis": {
            "interval": f"{_CHECK_SECONDS}s",
            "threshold": _FAILURES,
            "maxWeight": shares[-1],
            "stepWeights": shares,
            "webhooks": [
                {"name": "rollback", "type": "rollback", "url": url(plan, "/rollback"), "timeout": "5s"},
                {
                    "name": "increase",
                    "type": "confirm-traffic-increase",
                    "url": url(plan, "/increase"),
                    "timeout": "5s",
                },
                {"name": "promote", "type": "confirm-promotion", "url": url(plan, "/advance"), "timeout": "5s"},
            ],
        },
    }
    return manifest("flagger.app/v1beta1", "Canary", name, plan.namespace, spec=spec)
