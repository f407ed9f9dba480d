"""Drain: a pod that leaves is forgotten first, told then, and killed only after its last stream."""

from __future__ import annotations

from collections.abc import Iterator

from podium.deploy.lint.finding import Place, Rule
from podium.deploy.lint.graph import Graph, Workload, at, words
from podium.deploy.places import LONGEST_STREAM
from podium.deploy.quantity import parse_duration

_SHELLS = {"sh", "bash", "/bin/sh", "/bin/bash", "dash", "/bin/dash"}
_DEFAULT_GRACE_SECONDS = 30
_UNKNOWN_STREAM_SECONDS = 60  # a long answer, where nothing says how long


def _no_hook(graph: Graph) -> Iterator[Place]:
    for workload in graph.served:
        for container in workload.serving:
            if container.ports and at(container.value, "lifecycle", "preStop") is None:
                yield workload.item, f"{container.path}.lifecycle", "no preStop"


def pre_stop_seconds(workload: Workload) -> float:
    """The longest preStop sleep of a workload's containers; that of an exec is not known and counts 0."""
    found = [at(container.value, "lifecycle", "preStop", "sleep", "seconds") for container in workload.serving]
    return float(max((seconds for seconds in found if isinstance(seconds, int)), default=0))


def _short_grace(graph: Graph) -> Iterator[Place]:
    for workload in graph.served:
        grace = workload.pod.get("terminationGracePeriodSeconds", _DEFAULT_GRACE_SECONDS)
        hook, stream = pre_stop_seconds(workload), graph.longest_stream_seconds(workload)
        is_unknown = workload.item.kind == "Deployment" and LONGEST_STREAM not in workload.annotations
        needed = hook + (stream or (_UNKNOWN_STREAM_SECONDS if is_unknown else 0))
        if isinstance(grace, int) and grace < needed:
            yield (
                workload.item,
                f"{workload.path}.spec.terminationGracePeriodSeconds",
                f"{grace} < preStop {hook:g} + longest stream {needed - hook:g}",
            )


def _through_a_shell(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        for container in workload.serving:
            line = [*words(container.value.get("command")), *words(container.value.get("args"))]
            script = line[2] if len(line) > 2 and line[0] in _SHELLS and line[1].endswith("c") else ""
            if script and "exec " not in script:
                yield workload.item, f"{container.path}.command", f"{line[0]} runs it"


def _route_timeouts(graph: Graph) -> Iterator[Place]:
    longest = max((graph.longest_stream_seconds(workload) for workload in graph.served), default=0)
    for route in graph.of("HTTPRoute"):
        for number, rule in enumerate(route.entries("spec", "rules")):
            if not rule.get("backendRefs"):
                continue  # a redirect: nobody streams
            path, said = f"spec.rules[{number}].timeouts", at(rule, "timeouts", "request")
            seconds = None if said is None else parse_duration(said)
            if seconds is None:
                yield route, f"{path}.request", "not set" if said is None else f"{said} is no duration"
            elif 0 < seconds < longest:
                yield route, f"{path}.request", f"{said} is shorter than the longest stream, {longest:g} s"
            inner = parse_duration(at(rule, "timeouts", "backendRequest") or "0s") or 0
            if seconds and inner > seconds:
                yield route, f"{path}.backendRequest", f"{inner:g} s is longer than request, {said}"


RULES = (
    Rule(
        "drain-no-pre-stop", "error",
        "The cluster goes on sending requests to a pod for some seconds after its end began; they would be refused.",
        "Add lifecycle.preStop.sleep, as long as a change of endpoints takes to arrive (5 to 15 s).",
        _no_hook,
    ),
    Rule(
        "drain-grace", "error",
        "The hook's time counts inside the grace period; what is left is less than a stream, which is cut.",
        "Raise terminationGracePeriodSeconds above preStop and the longest stream together.",
        _short_grace,
    ),
    Rule(
        "drain-shell", "error",
        "The shell gets SIGTERM and does not pass it on: every stop is a kill, and every stream is cut.",
        "Name the program itself in command, or begin the script's last line with exec.",
        _through_a_shell,
    ),
    Rule(
        "drain-route-timeout", "error",
        "A timeout that is not set is up to the implementation, often 15 s; it cuts a long answer with status 200.",
        'Set timeouts.request to "0s", or to more than the longest stream, and backendRequest to no more than request.',
        _route_timeouts,
    ),
)  # fmt: skip
