"""Rollouts: images that cannot move, deadlines that loads fit into, and budgets that let nodes go."""

from __future__ import annotations

from collections.abc import Iterator

from podium.deploy.lint.finding import Place, Rule
from podium.deploy.lint.graph import GROUPS, Graph, at, mapping, matches, number
from podium.deploy.lint.rules.probes import budget_seconds

_DEFAULT_DEADLINE_SECONDS = 600


def _unpinned(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        for container in workload.containers:
            image = str(container.value.get("image", ""))
            if "@sha256:" not in image:
                yield workload.item, f"{container.path}.image", f"{image or 'nothing'} has no digest"


def _deadline(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        if workload.item.kind != "Deployment":
            continue
        said = workload.item.at("spec", "progressDeadlineSeconds")
        deadline = said if isinstance(said, int) else _DEFAULT_DEADLINE_SECONDS
        budgets = [budget_seconds(probe) for c in workload.serving if (probe := mapping(c.value.get("startupProbe")))]
        if budgets and deadline <= max(budgets):
            text = f"{deadline} s is not above the startup budget, {max(budgets):g} s"
            yield workload.item, "spec.progressDeadlineSeconds", text


def _all_at_once(graph: Graph) -> Iterator[Place]:
    for workload in graph.served:
        kind = workload.item.at("spec", "strategy", "type")
        least = workload.item.at("spec", "strategy", "rollingUpdate", "maxUnavailable")
        if workload.item.kind == "Deployment" and kind == "Recreate":
            yield workload.item, "spec.strategy.type", "Recreate"
        elif isinstance(least, int) and least > 1:
            yield workload.item, "spec.strategy.rollingUpdate.maxUnavailable", f"{least} pods at once"


def _stuck(graph: Graph) -> Iterator[Place]:
    for workload in graph.served:
        rolling = workload.item.mapping("spec", "strategy", "rollingUpdate")
        if rolling.get("maxSurge") == 0 and rolling.get("maxUnavailable") == 0:
            yield workload.item, "spec.strategy.rollingUpdate", "neither one more nor one less"


def _no_budget(graph: Graph) -> Iterator[Place]:
    budgets = graph.of("PodDisruptionBudget")
    for workload in graph.served:
        covered = any(
            budget.namespace == workload.item.namespace and matches(budget.at("spec", "selector"), workload.labels)
            for budget in budgets
        )
        if workload.item.kind in {"Deployment", GROUPS} and graph.most_pods(workload) > 1 and not covered:
            yield workload.item, "spec.replicas", f"{graph.most_pods(workload)} pods and no PodDisruptionBudget"


def _blocking_budget(graph: Graph) -> Iterator[Place]:
    for budget in graph.of("PodDisruptionBudget"):
        pods = sum(graph.most_pods(w) for w in graph.selected(budget.mapping("spec", "selector"), budget.namespace))
        least, away = budget.at("spec", "minAvailable"), budget.at("spec", "maxUnavailable")
        if (isinstance(least, int) and pods and least >= pods) or least == "100%" or str(away) in {"0", "0%"}:
            yield budget, "spec", f"no pod of {pods} may ever leave"
        if budget.at("spec", "unhealthyPodEvictionPolicy") != "AlwaysAllow":
            yield budget, "spec.unhealthyPodEvictionPolicy", "not AlwaysAllow"


def _quota(graph: Graph) -> Iterator[Place]:
    for quota in graph.of("ResourceQuota"):
        for name, most in quota.mapping("spec", "hard").items():
            resource = name.removeprefix("requests.")
            if not name.startswith("requests.") or "/" not in resource or not str(most).isdigit():
                continue
            wanted = 0
            for workload in graph.workloads:
                per_pod = sum(number(at(c.value, "resources", "limits", resource)) for c in workload.serving)
                pods = graph.most_pods(workload) + workload.surge
                wanted += per_pod * pods if workload.item.namespace == quota.namespace else 0
            if wanted > int(most):
                yield quota, f"spec.hard.{name}", f"{most}, and pods with surge want {wanted}"


RULES = (
    Rule("rollout-image", "error", "A tag moves: two pods of one version may run two programs, and a rollback is none.",
         "Name the image by digest, name@sha256:….", _unpinned),
    Rule("rollout-deadline", "error", "A good rollout of a model that loads slowly is marked as failed.",
         "Raise progressDeadlineSeconds above period * failures of the startup probe.", _deadline),
    Rule("rollout-strategy", "error", "Several models load at the same time, and nobody serves meanwhile.",
         "Use RollingUpdate with maxUnavailable 0 and maxSurge 1, or 1 and 0 where no GPU is free.", _all_at_once),
    Rule("rollout-stuck", "error", "The rollout can make no step.",
         "Set one of maxSurge and maxUnavailable to 1.", _stuck),
    Rule("rollout-no-budget", "warning", "A drained node may take all pods of a model at once.",
         "Add a PodDisruptionBudget with maxUnavailable 1.", _no_budget),
    Rule("rollout-blocking-budget", "error", "Nodes can never be drained, or not while one pod is broken.",
         "Use maxUnavailable 1 and unhealthyPodEvictionPolicy AlwaysAllow.", _blocking_budget),
    Rule("rollout-quota", "error", "The pod that a rollout adds is never scheduled, and the rollout hangs.",
         "Raise the quota, lower replicas, or replace pods without surge.", _quota),
)  # fmt: skip
