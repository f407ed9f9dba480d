"""Autoscaling: one owner of the number of pods, a signal that exists, and windows that streams fit into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from podium.deploy.lint.finding import Place, Rule
from podium.deploy.lint.graph import SCALERS, Graph, Item, at, entries, mapping, target_of

_DEFAULT_WINDOW_SECONDS = 300
_LIMITS = ("minReplicaCount", "maxReplicaCount", "minReplicas", "maxReplicas")


def _two_owners(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        if workload.replicas is not None and graph.scalers_of(workload):
            yield workload.item, "spec.replicas", f"{workload.replicas}, and a scaler owns the number"
    for target, count in Counter(target_of(scaler) for scaler in graph.of(*SCALERS)).items():
        if count > 1:
            yield (
                next(s for s in graph.of(*SCALERS) if target_of(s) == target),
                "spec.scaleTargetRef",
                f"{count} scalers",
            )


def _no_target(graph: Graph) -> Iterator[Place]:
    for scaler in graph.of(*SCALERS):
        kind, name, namespace = target_of(scaler)
        if graph.find(kind, name, namespace) is None:
            yield scaler, "spec.scaleTargetRef", f"no {kind} {name} in this set"


def _behavior(scaler: Item) -> object:
    spec = scaler.mapping("spec")
    nested = at(spec, "advanced", "horizontalPodAutoscalerConfig", "behavior")
    return nested if scaler.kind == "ScaledObject" else spec.get("behavior")


def _window(graph: Graph) -> Iterator[Place]:
    for scaler in graph.of(*SCALERS):
        window = at(_behavior(scaler), "scaleDown", "stabilizationWindowSeconds")
        seconds = window if isinstance(window, int) else _DEFAULT_WINDOW_SECONDS
        for workload in graph.workloads:
            longest = graph.longest_stream_seconds(workload)
            if scaler in graph.scalers_of(workload) and seconds < longest:
                path = "spec.behavior.scaleDown.stabilizationWindowSeconds"
                yield scaler, path, f"{seconds} s is shorter than the longest stream, {longest:g} s"


def _silent_zero(graph: Graph) -> Iterator[Place]:
    for scaler in graph.of("ScaledObject"):
        for number, trigger in enumerate(scaler.entries("spec", "triggers")):
            if trigger.get("type") == "prometheus" and at(trigger, "metadata", "ignoreNullValues") != "false":
                yield scaler, f"spec.triggers[{number}].metadata.ignoreNullValues", 'not "false"'
        if not scaler.mapping("spec", "fallback"):
            yield scaler, "spec.fallback", "not set"


def _texts(graph: Graph) -> Iterator[Place]:
    for scaler in graph.of("ScaledObject"):
        for number, trigger in enumerate(scaler.entries("spec", "triggers")):
            for key, value in mapping(trigger.get("metadata")).items():
                if not isinstance(value, str):
                    yield scaler, f"spec.triggers[{number}].metadata.{key}", f"{value!r} is no text"


def _range(graph: Graph) -> Iterator[Place]:
    for scaler in graph.of(*SCALERS):
        least, most = (
            next((v for name in names if isinstance(v := scaler.at("spec", name), int)), default)
            for names, default in ((_LIMITS[0::2], 0), (_LIMITS[1::2], None))
        )
        if most is not None and (least or 0) > most:
            yield scaler, "spec", f"at least {least} and at most {most}"


def _wrong_signal(graph: Graph) -> Iterator[Place]:
    for scaler in graph.of(*SCALERS):
        metrics = [str(at(metric, "resource", "name")) for metric in scaler.entries("spec", "metrics")]
        triggers = [str(trigger.get("type")) for trigger in scaler.entries("spec", "triggers")]
        for name in (*metrics, *triggers):
            if name in {"cpu", "memory"}:
                yield scaler, "spec", f"follows {name}"


def _unscraped(graph: Graph) -> Iterator[Place]:
    monitored = [
        workload
        for monitor in graph.of("PodMonitor")
        for workload in graph.selected(monitor.mapping("spec", "selector"), monitor.namespace)
    ]
    for scaler in graph.of("ScaledObject"):
        asks = any(trigger.get("type") == "prometheus" for trigger in entries(scaler.at("spec", "triggers")))
        for workload in graph.workloads:
            covered = workload in monitored or bool(graph.of("ServiceMonitor"))
            if asks and scaler in graph.scalers_of(workload) and not (covered or workload.follows):
                yield scaler, "spec.triggers", f"no PodMonitor reads the pods of {workload.item}"


def _unwatched(graph: Graph) -> Iterator[Place]:
    """Only where there are rules in the set: whoever has none alerts elsewhere."""
    alerts = [
        "".join(str(at(rule, "expr")).split())
        for rules in graph.of("PrometheusRule")
        for group in rules.entries("spec", "groups")
        for rule in entries(group.get("rules"))
    ]
    for scaler in graph.of("ScaledObject"):
        for number, trigger in enumerate(scaler.entries("spec", "triggers")):
            query = "".join(str(at(trigger, "metadata", "query")).split())
            asks = trigger.get("type") == "prometheus"
            if asks and alerts and not any(f"absent({query})" in alert for alert in alerts):
                yield scaler, f"spec.triggers[{number}].metadata.query", "no alert says when it returns nothing"


RULES = (
    Rule(
        "scaler-two-owners", "error",
        "Each apply sets the number back, and pods with running streams are taken away.",
        "Leave spec.replicas out where a scaler exists, and keep one scaler for each workload.",
        _two_owners,
    ),
    Rule(
        "scaler-no-target", "error",
        "It scales nothing, and its status says that all is well.",
        "Name a workload of the set.",
        _no_target,
    ),
    Rule(
        "scaler-window", "error",
        "Pods are taken away more often than their streams end.",
        "Raise scaleDown.stabilizationWindowSeconds to the longest stream or more.",
        _window,
    ),
    Rule(
        "scaler-silent-zero", "error",
        "A query that returns nothing counts as zero load by default: the scaler looks healthy and never scales.",
        'Set ignoreNullValues to "false", and fallback to a safe number of pods.',
        _silent_zero,
    ),
    Rule(
        "scaler-text", "error",
        "KEDA refuses trigger metadata that is no text.",
        "Put the value in quotes.",
        _texts,
    ),
    Rule("scaler-range", "error", "There is no number of pods that it may choose.", "Raise the upper one.", _range),
    Rule(
        "scaler-signal", "error",
        "A GPU's memory is always full and a CPU that generates is always busy: neither says how long the queue is.",
        "Scale on requests that run and wait, for each ready pod.",
        _wrong_signal,
    ),
    Rule(
        "scaler-unscraped", "error",
        "The metric that it asks for is never collected.",
        "Add a PodMonitor that selects these pods.",
        _unscraped,
    ),
    Rule(
        "scaler-unwatched", "warning",
        "A metric that goes missing freezes the number of pods, and nobody is told.",
        "Add an alert on absent() of the scaler's own query.",
        _unwatched,
    ),
)  # fmt: skip
