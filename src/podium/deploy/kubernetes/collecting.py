"""What a cluster's collector of logs is told of ours: a ConfigMap for the collector that is there.

There is no DaemonSet of ours: it would need paths of the node, which no namespace of ours admits, and be a second
collector on each node.
"""

from __future__ import annotations

import yaml

from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.logging import fluent_bit, vector
from podium.deploy.plan import Plan

NAME = "podium-logs"


def collector_configs(plan: Plan) -> list[Manifest]:
    """One, where a collector is named."""
    given = plan.settings.deploy.logging
    makers = {"fluent-bit": fluent_bit.pipeline, "vector": vector.pipeline}
    if given.kind == "none":
        return []
    text = yaml.safe_dump(makers[given.kind](plan.namespace, given.loki), sort_keys=False, width=110)
    return [manifest("v1", "ConfigMap", NAME, given.namespace, data={f"{given.kind}.yaml": text})]
