"""LeaderWorkerSets: a copy of the server over several nodes, a leader that serves and pods that compute with it."""

from __future__ import annotations

from typing import Any

from podium.deploy import places
from podium.deploy.environments import PlannedEnvironment
from podium.deploy.kubernetes.deployment import model_container, pod_template, secrets_elsewhere, server_container
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan

API = "leaderworkerset.x-k8s.io/v1"
KIND = "LeaderWorkerSet"
_RANK_LABEL = "leaderworkerset.sigs.k8s.io/worker-index"
_LEADER = "$(LWS_LEADER_ADDRESS)"  # which the set's controller gives to each of its pods


def leader_worker_sets(plan: Plan, *, dev: bool) -> list[Manifest]:
    """One for each environment, in the overlay that says how many copies; none where a copy is one pod.

    Overlays cannot change their number as that of a Deployment, so each has its own.
    """
    return [_group(plan, each, dev=dev) for each in plan.environments] if plan.nodes > 1 else []


def _group(plan: Plan, environment: PlannedEnvironment, *, dev: bool) -> Manifest:
    labels = places.labels("server", environment.name)
    scaled = plan.scaled and environment.replicas and not dev
    replicas = {} if scaled else {"replicas": environment.dev_replicas if dev else environment.replicas}
    one_less = plan.settings.deploy.strategy == "recreate-one"
    update = {"maxUnavailable": 1, "maxSurge": 0} if one_less else {"maxUnavailable": 0, "maxSurge": 1}
    leader = pod_template(plan, environment, labels, server_container(plan, environment))
    worker = _without_secrets(
        pod_template(plan, environment, places.labels("node", environment.name), _node(plan, environment))
    )
    return manifest(
        API,
        KIND,
        places.server_name(environment.name),
        plan.namespace,
        labels=labels,
        annotations=secrets_elsewhere(plan, environment),
        spec={
            **replicas,
            "rolloutStrategy": {"type": "RollingUpdate", "rollingUpdateConfiguration": update},
            "startupPolicy": "LeaderCreated",  # a leader is ready only when the others are there
            "networkConfig": {"subdomainPolicy": "Shared"},
            "leaderWorkerTemplate": {
                "size": plan.nodes,
                "restartPolicy": "RecreateGroupOnPodRestart",  # the rest of a copy waits for ever for one that is new
                "leaderTemplate": leader,
                "workerTemplate": worker,
            },
        },
    )


def _node(plan: Plan, environment: PlannedEnvironment) -> dict[str, Any]:
    admin = plan.settings.server.admin_port
    rank = {"name": "NODE_RANK", "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{_RANK_LABEL}']"}}}
    command = [
        "python",
        "-m",
        "podium.server.engine_node",
        f"--config={places.CONFIG_FOLDER}/{places.CONFIG_FILE}",
        f"--first={_LEADER}",
        "--rank=$(NODE_RANK)",
        f"--status=0.0.0.0:{admin}",
    ]
    ports = [{"name": places.ADMIN_PORT, "containerPort": admin, "protocol": "TCP"}]
    return model_container(plan, environment, "node", command, [rank], ports, {})


def _without_secrets(template: dict[str, Any]) -> dict[str, Any]:
    """It asks for no store and answers nobody."""
    pod = template["spec"]
    secret = {volume["name"] for volume in pod["volumes"] if "secret" in volume}
    (container,) = pod["containers"]
    kept = [mount for mount in container["volumeMounts"] if mount["name"] not in secret]
    volumes = [volume for volume in pod["volumes"] if volume["name"] not in secret]
    return {**template, "spec": {**pod, "containers": [{**container, "volumeMounts": kept}], "volumes": volumes}}
