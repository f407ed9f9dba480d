"""The PrometheusRule: the rules of ``podium monitor export`` with the labels that scrapes have in a cluster."""

from __future__ import annotations

import re
from typing import Any

from podium.deploy import places
from podium.deploy.environments import PlannedEnvironment
from podium.deploy.kubernetes.autoscaling import load_query
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan
from podium.deploy.prometheus.condition import Condition
from podium.deploy.prometheus.conditions import conditions_of
from podium.deploy.prometheus.files import rule_groups
from podium.deploy.prometheus.promql import selector
from podium.deploy.prometheus.scrapes import INTERVAL
from podium.telemetry import table

SCALER_BLIND = "ScalerQueryEmpty"
_EMPTY_SECONDS = 300
_STANDS_SECONDS = 60  # without a round: two scrapes may be missed
_OF_A_CONTROLLER = re.compile("|".join(rf"\b{metric.name}\b" for metric in table.METRICS if metric.owner == "monitor"))


def prometheus_rules(plan: Plan) -> list[Manifest]:
    """One object with the recorded ratios and the alerts, where Prometheus is told of the pods."""
    if not _wanted(plan):
        return []
    groups = rule_groups(plan.settings, conditions(plan), plan.settings.deploy.runbooks)
    return [_object(plan, places.APPLICATION, groups)]


def scaler_rules(plan: Plan) -> list[Manifest]:
    """One object with an alert for each scaler: a metric that is missing looks like no load."""
    scaled = [each for each in plan.environments if each.replicas] if plan.scaled else []
    if not (scaled and _wanted(plan)):
        return []
    rules = [_blind(plan, each).rule(plan.settings.deploy.runbooks) for each in scaled]
    spec = {"groups": [{"name": "podium-scalers", "interval": INTERVAL, "rules": rules}]}
    return [_object(plan, f"{places.APPLICATION}-scalers", spec)]


def conditions(plan: Plan) -> list[Condition]:
    """Every alert whose series are there: without gateways of ours nobody has those of a controller.

    Scalers have alerts of their own, on their very queries.
    """
    found = conditions_of(plan.settings.monitor, job=f"{plan.namespace}/{places.APPLICATION}")
    known = [each for each in found if plan.own_gateways or not _OF_A_CONTROLLER.search(each.query)]
    return [*(each for each in known if each.name != SCALER_BLIND), *([_away(plan)] if plan.own_gateways else [])]


def _away(plan: Plan) -> Condition:
    """Verdicts of a controller that nobody sees are no verdicts."""
    seen = selector(table.LAST_ROUND, f'namespace="{plan.namespace}"')
    return Condition(
        "MonitorAway",
        "ticket",
        f"max(time() - {seen} < {_STANDS_SECONDS})",
        "",
        "The controller does not tell what it sees: alerts that only it can judge are silent.",
        for_seconds=_EMPTY_SECONDS,
        absent=True,
    )


def _wanted(plan: Plan) -> bool:
    return plan.monitored and plan.settings.deploy.rules


def _object(plan: Plan, name: str, spec: dict[str, Any]) -> Manifest:
    labels = plan.settings.deploy.monitoring_labels
    return manifest("monitoring.coreos.com/v1", "PrometheusRule", name, plan.namespace, labels=labels, spec=spec)


def _blind(plan: Plan, environment: PlannedEnvironment) -> Condition:
    return Condition(
        SCALER_BLIND,
        "page",
        load_query(plan.namespace, environment.name),
        "",
        f"The scaler of {environment.name} sees no metric, and does not scale.",
        for_seconds=_EMPTY_SECONDS,
        labels={"environment": environment.name},
        absent=True,
    )
