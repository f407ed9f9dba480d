"""Selectors: labels agree everywhere, and no two workloads share their pods."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from podium.deploy.lint.finding import Place, Rule
from podium.deploy.lint.graph import Graph, entries, matches

_USERS = ("PodDisruptionBudget", "PodMonitor")


def _own(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        selector = workload.item.at("spec", "selector")
        if selector is not None and not matches(selector, workload.labels):
            yield workload.item, "spec.selector", "does not mean the labels of its own pods"


def _shared_pods(graph: Graph) -> Iterator[Place]:
    stay = [workload for workload in graph.workloads if not workload.ends]
    for one, other in combinations(stay, 2):
        if one.item.namespace != other.item.namespace:
            continue
        for mine, theirs in ((one, other), (other, one)):
            if matches(mine.item.at("spec", "selector"), theirs.labels):
                yield mine.item, "spec.selector", f"also means the pods of {theirs.item}"


def _nothing(graph: Graph) -> Iterator[Place]:
    for service in graph.of("Service"):
        if service.mapping("spec", "selector") and not graph.service_targets(service):
            yield service, "spec.selector", "means no pod of this set"
    for user in graph.of(*_USERS):
        if not graph.selected(user.mapping("spec", "selector"), user.namespace):
            yield user, "spec.selector", "means no pod of this set"
    for policy in graph.of("NetworkPolicy"):
        selector = policy.mapping("spec", "podSelector")
        if selector and not graph.selected(selector, policy.namespace):
            yield policy, "spec.podSelector", "means no pod of this set"


def _two_behind_one(graph: Graph) -> Iterator[Place]:
    for service in graph.of("Service"):
        targets = graph.service_targets(service) if service.mapping("spec", "selector") else []
        if len(targets) > 1:
            yield service, "spec.selector", f"means the pods of {', '.join(str(each.item) for each in targets)}"


def _spread(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        for number, rule in enumerate(entries(workload.pod.get("topologySpreadConstraints"))):
            if not matches(rule.get("labelSelector"), workload.labels):
                path = f"{workload.path}.spec.topologySpreadConstraints[{number}].labelSelector"
                yield workload.item, path, "does not mean its own pods"


RULES = (
    Rule(
        "selector-own", "error",
        "The API server refuses a workload that does not select its own pods.",
        "Repeat the selector's labels in the template.",
        _own,
    ),
    Rule(
        "selector-shared", "error",
        "Two workloads that claim the same pods delete each other's.",
        "Add a label that tells them apart to both selectors and templates.",
        _shared_pods,
    ),
    Rule(
        "selector-nothing", "error",
        "A Service without pods answers nothing, a budget protects nothing, a monitor reads nothing, without an error.",
        "Use the labels of the pods' template.",
        _nothing,
    ),
    Rule(
        "selector-two-versions", "error",
        "Old and new version answer by chance, in proportion to their pods, and no weight can change that.",
        "Give each version a Service of its own with a fixed selector, and move the weights of the route.",
        _two_behind_one,
    ),
    Rule(
        "selector-spread", "warning",
        "The rule counts other pods, so that all of these may land on one node.",
        "Use the labels of the template.",
        _spread,
    ),
)  # fmt: skip
