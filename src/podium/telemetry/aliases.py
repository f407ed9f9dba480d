"""Metrics under the names that others look for: vLLM's and OpenTelemetry's. The table says which has which."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import Metric as Family

from podium.telemetry.histograms import HistogramFamily
from podium.telemetry.table import METRICS

VLLM_NAMES = {metric.family_name: metric.vllm for metric in METRICS if metric.vllm}
"""vLLM's name by the family's."""
OTEL_NAMES = {metric.family_name: metric.otel for metric in METRICS if metric.otel}
"""OpenTelemetry's name by the family's."""

Relabel = Callable[[Mapping[str, str]], dict[str, str] | None]
"""New labels of a series; None leaves it out."""


def with_vllm_names(families: Iterable[Family]) -> Iterator[Family]:
    """``families``, and after each its twin under vLLM's name, if it has one."""
    for family in families:
        yield family
        alias = VLLM_NAMES.get(family.name)
        if alias is not None:
            yield renamed(family, alias, _as_vllm)


def _as_vllm(labels: Mapping[str, str]) -> dict[str, str] | None:
    others = {name: value for name, value in labels.items() if name != "model"}
    return None if labels["model"] == "none" else {"model_name": labels["model"], **others}


def renamed(family: Family, name: str, relabel: Relabel) -> Family:
    """``family`` under another name, with other labels."""
    if isinstance(family, HistogramFamily):
        twin = HistogramFamily(name, family.documentation)
        for labels, distribution in family.distributions:
            if (given := relabel(labels)) is not None:
                twin.add(given, distribution)
        return twin
    other = Family(name.removesuffix("_total"), family.documentation, family.type)
    for sample in family.samples:
        if (given := relabel(sample.labels)) is not None:
            other.add_sample(other.name + sample.name.removeprefix(family.name), given, sample.value)
    return other
