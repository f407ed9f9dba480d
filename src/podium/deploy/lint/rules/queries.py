"""Queries: every series that they name is one that a server has, and is used as what it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from podium.deploy.lint.finding import Place, Rule
from podium.deploy.lint.graph import Graph, Item, at, entries
from podium.deploy.lint.series import SERIES

_NAME = re.compile(r"\b(podium_[a-z0-9_]+)\b")
_RATE = re.compile(r"\b(?:rate|irate|increase)\s*\(\s*(podium_[a-z0-9_]+)")
_TEXTS = re.compile(r'"[^"]*"|\'[^\']*\'')
_VARIABLE = re.compile(r"\$__\w+|\$\{?\w+\}?")
_JOB = re.compile(r'[{,]\s*job\s*=\s*"([^"]*)"')
_DASHBOARD = "grafana_dashboard"
_PAIRS = {")": "(", "}": "{", "]": "["}


def _queries(graph: Graph) -> Iterator[tuple[Item, str, str]]:
    for scaler in graph.of("ScaledObject"):
        for number, trigger in enumerate(scaler.entries("spec", "triggers")):
            query = at(trigger, "metadata", "query")
            if query is not None:
                yield scaler, f"spec.triggers[{number}].metadata.query", str(query)
    for rules in graph.of("PrometheusRule"):
        for group in rules.entries("spec", "groups"):
            for rule in entries(group.get("rules")):
                yield rules, f"spec.groups[{group.get('name')}]", str(at(rule, "expr"))
    for item, path, board in _boards(graph):
        for query in _targets(board):
            yield item, path, query


def _boards(graph: Graph) -> Iterator[tuple[Item, str, Any]]:
    """Dashboards, as Grafana's sidecar finds them; None for one that is no JSON."""
    for config in graph.of("ConfigMap"):
        if _DASHBOARD not in config.mapping("metadata", "labels"):
            continue
        for name, text in config.mapping("data").items():
            try:
                yield config, f"data.{name}", json.loads(str(text))
            except (ValueError, RecursionError):
                yield config, f"data.{name}", None


def _targets(board: Any) -> Iterator[str]:
    """The queries of its panels, those within rows too, as PromQL without Grafana's own variables."""
    for panel in entries(at(board, "panels")):
        for target in entries(panel.get("targets")):
            if target.get("expr") is not None:
                yield _VARIABLE.sub("5m", str(target["expr"]))
        yield from _targets(panel)


def _no_board(graph: Graph) -> Iterator[Place]:
    for item, path, board in _boards(graph):
        if not any(_targets(board)):
            yield item, path, "no JSON of a dashboard with queries"


def _unknown(graph: Graph) -> Iterator[Place]:
    for item, path, query in _queries(graph):
        recorded = {str(at(rule, "record")) for r in graph.of("PrometheusRule") for rule in _rules(r)}
        for name in sorted(set(_NAME.findall(_TEXTS.sub('""', query))) - set(SERIES) - recorded):
            yield item, path, f"no server has a series {name}"


def _rules(item: Item) -> list[object]:
    return [rule for group in item.entries("spec", "groups") for rule in entries(group.get("rules"))]


def _rate_of_gauge(graph: Graph) -> Iterator[Place]:
    for item, path, query in _queries(graph):
        for name in _RATE.findall(query):
            if SERIES.get(name) == "gauge":
                yield item, path, f"rate of {name}, which is a gauge"


def _broken(graph: Graph) -> Iterator[Place]:
    for item, path, query in _queries(graph):
        if not _is_balanced(_TEXTS.sub("", query)) or not query.strip():
            yield item, path, "brackets do not match"


def _is_balanced(text: str) -> bool:
    open_ones: list[str] = []
    for character in text:
        if character in _PAIRS.values():
            open_ones.append(character)
        elif character in _PAIRS and (not open_ones or open_ones.pop() != _PAIRS[character]):
            return False
    return not open_ones


def _labels(graph: Graph) -> Iterator[Place]:
    """A scaler that asks for a label which only a relabelling brings, and no monitor brings it."""
    brought = {
        str(relabelling.get("targetLabel"))
        for monitor in graph.of("PodMonitor", "ServiceMonitor")
        for endpoint in [*monitor.entries("spec", "podMetricsEndpoints"), *monitor.entries("spec", "endpoints")]
        for relabelling in entries(endpoint.get("relabelings"))
    }
    for item, path, query in _queries(graph):
        if re.search(r"[{,]\s*environment\s*=", query) and "environment" not in brought:
            yield item, path, "asks for the label environment, which no monitor brings"


def _jobs(graph: Graph) -> Iterator[Place]:
    """The operator names a job after the namespace and the name of a PodMonitor. Jobs of other things are theirs."""
    names = {monitor.name: f"{monitor.namespace}/{monitor.name}" for monitor in graph.of("PodMonitor")}
    for item, path, query in _queries(graph):
        for job in _JOB.findall(query):
            if job.rpartition("/")[2] in names and job not in names.values():
                yield item, path, f"asks for the job {job}, and its scrapes have {names[job.rpartition('/')[2]]}"


RULES = (
    Rule("query-series", "error", "A query for a series that does not exist returns nothing, which looks like no load.",
         "Use a name from docs/reference or /metrics.", _unknown),
    Rule("query-type", "error", "The rate of a gauge is noise.",
         "Use avg_over_time of a gauge, rate of a counter.", _rate_of_gauge),
    Rule("query-syntax", "error", "Prometheus refuses it, and the scaler or rule does nothing.",
         "Close what was opened.", _broken),
    Rule("query-label", "error", "The selector matches no series: a scaler with it never scales.",
         "Add the relabelling to the monitor, or leave the label out.", _labels),
    Rule("query-job", "error", "An alert on a job that no scrape has can never fire, or fires for ever.",
         "Name the job as the operator does: namespace/name of the PodMonitor.", _jobs),
    Rule("query-dashboard", "warning", "Grafana's sidecar takes the file and shows nothing.",
         "Export the dashboard as JSON, with its panels.", _no_board),
)  # fmt: skip
