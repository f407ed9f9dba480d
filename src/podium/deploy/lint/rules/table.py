"""All rules."""

from __future__ import annotations

from podium.deploy.lint.finding import Rule
from podium.deploy.lint.rules import (
    drain,
    groups,
    logging,
    mesh,
    mounts,
    network,
    ports,
    probes,
    queries,
    resources,
    rollout,
    scaling,
    secrets,
    security,
    selectors,
    volumes,
)

CLASSES: dict[str, tuple[Rule, ...]] = {
    "probes": probes.RULES,
    "drain": drain.RULES,
    "mounts": mounts.RULES,
    "secrets": secrets.RULES,
    "resources": resources.RULES,
    "ports": ports.RULES,
    "selectors": selectors.RULES,
    "autoscaling": scaling.RULES,
    "volumes": volumes.RULES,
    "network": network.RULES,
    "security": security.RULES,
    "rollout": rollout.RULES,
    "queries": queries.RULES,
    "groups": groups.RULES,
    "mesh": mesh.RULES,
    "logging": logging.RULES,
}
"""Rules by class, in the order of reading."""

RULES: tuple[Rule, ...] = tuple(rule for rules in CLASSES.values() for rule in rules)
