"""Collectors of logs: few streams, and no text of callers on its way out of the node."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from podium.deploy.lint.finding import Place, Rule
from podium.deploy.lint.graph import Graph, Item, at, entries, mapping, words

_MANY = re.compile(r"(request|trace|span|key|user|session|pod|container|tenant)(_?id|_?name|_?uid)?\Z", re.IGNORECASE)
_FOREIGN = {"log", "line", "exception", "stack", "prompt", "messages", "body"}
_QUOTED = re.compile(r'"(\w+)"')
_OURS = "podium"


def _collectors(graph: Graph) -> Iterator[tuple[Item, str, Mapping[str, Any]]]:
    """Files of ConfigMaps that are a pipeline of Fluent Bit or of Vector, and read our pods."""
    for config in graph.of("ConfigMap"):
        for name, text in config.mapping("data").items():
            if not str(name).endswith((".yaml", ".yml")) or _OURS not in str(text):
                continue
            try:
                document = yaml.safe_load(str(text))
            except yaml.YAMLError:
                continue
            if at(document, "pipeline", "inputs") or (at(document, "sources") and at(document, "sinks")):
                yield config, f"data.{name}", mapping(document)


def _labels(document: Mapping[str, Any]) -> Iterator[str]:
    """Names of what becomes a label in Loki."""
    for output in entries(at(document, "pipeline", "outputs")):
        if output.get("name") == "loki":
            for pair in str(output.get("labels", "")).split(","):
                yield pair.partition("=")[0].strip()
            for key in str(output.get("label_keys", "")).split(","):
                yield key.strip().lstrip("$")
    for sink in mapping(document.get("sinks")).values():
        if at(sink, "type") == "loki":
            yield from map(str, mapping(at(sink, "labels")))


def _many_streams(graph: Graph) -> Iterator[Place]:
    for item, path, document in _collectors(graph):
        for label in _labels(document):
            if _MANY.match(label):
                yield item, path, f"{label} is a label"


def _raw_text(graph: Graph) -> Iterator[Place]:
    for item, path, document in _collectors(graph):
        if problem := _problem(document):
            yield item, path, problem


def _problem(document: Mapping[str, Any]) -> str | None:
    if at(document, "pipeline"):
        lists = [entry.get("allowlist_key") for entry in entries(at(document, "pipeline", "filters"))]
        kept = {name for names in lists for name in words(names)}
    else:
        transforms = mapping(document.get("transforms")).values()
        programs = [str(at(each, "source")) for each in transforms if at(each, "type") == "remap"]
        kept = {name for text in programs if "filter(" in text for name in _QUOTED.findall(text)}
    if not kept:
        return "nothing says which fields leave the node"
    found = sorted(_FOREIGN & kept)
    return f"{', '.join(found)} leaves the node" if found else None


RULES = (
    Rule(
        "logs-labels", "error",
        "Each value of a label is a stream of its own: with one for each request Loki stops taking lines.",
        "Keep labels to app, level and namespace, and put ids into structured metadata.",
        _many_streams,
    ),
    Rule(
        "logs-fields", "warning",
        "What a library prints, or a traceback quotes, may be a user's text; it would be kept for as long as logs are.",
        "Let a list of fields through, and leave `line`, `log`, `exception` and `stack` out of it.",
        _raw_text,
    ),
)  # fmt: skip
