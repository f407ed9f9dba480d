"""The metrics page as OTLP: the same families, cumulative, under their own names and under those of OpenTelemetry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client.core import Metric as Family

from podium.telemetry.aliases import OTEL_NAMES, renamed
from podium.telemetry.distribution import Distribution
from podium.telemetry.histograms import HistogramFamily
from podium.telemetry.otlp.spans import PROVIDER

_NANO = 1_000_000_000
_CUMULATIVE = AggregationTemporality.CUMULATIVE
_UNITS = {"_seconds": "s", "_bytes": "By", "_ratio": "1", "_joules": "J", "_tokens": "{token}"}


def metrics_data(families: Iterable[Family], resource: Resource, *, since: int, now: int) -> MetricsData:
    """All ``families``; ``since`` and ``now`` are Unix nanoseconds, of the start of the process and of the reading."""
    metrics = list(_metrics(families, since, now))
    scope = ScopeMetrics(InstrumentationScope("podium"), metrics, "")
    return MetricsData([ResourceMetrics(resource, [scope], "")])


def _metrics(families: Iterable[Family], since: int, now: int) -> Iterator[Metric]:
    for family in families:
        if not family.samples:  # a metric without a point is an error to some collectors
            continue
        yield _metric(family, since, now, {})
        alias = OTEL_NAMES.get(family.name)
        if alias is not None:
            twin = renamed(family, alias, _gen_ai)
            if twin.samples:
                yield _metric(twin, since, now, {"gen_ai.provider.name": PROVIDER})


def _gen_ai(labels: Mapping[str, str]) -> dict[str, str] | None:
    """Labels of a model as the conventions have them; None for what has no model.

    How a request ended is told of those that did not end well alone, by the class of its outcome.
    """
    model = labels["model"]
    others = {name: value for name, value in labels.items() if name not in {"model", "version", "outcome_class"}}
    if (ended := labels.get("outcome_class", "ok")) != "ok":
        others["error.type"] = ended
    return None if model == "none" else {"gen_ai.request.model": model, "gen_ai.response.model": model, **others}


def _metric(family: Family, since: int, now: int, more: Mapping[str, str]) -> Metric:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    unit = next((unit for ending, unit in _UNITS.items() if family.name.endswith(ending)), "")
    if isinstance(family, HistogramFamily):
        points = [
            _distribution({**labels, **more}, distribution, since, now) for labels, distribution in family.distributions
        ]
        return Metric(name, family.documentation, unit or "s", Histogram(points, _CUMULATIVE))
    values = [
        NumberDataPoint({**sample.labels, **more}, since, now, sample.value)
        for sample in family.samples
        if not sample.name.endswith("_created")
    ]
    data = Sum(values, _CUMULATIVE, is_monotonic=True) if family.type == "counter" else Gauge(values)
    return Metric(name, family.documentation, unit, data)


def _distribution(labels: Mapping[str, str], found: Distribution, since: int, now: int) -> HistogramDataPoint:
    seen, counts, bounds = 0, [], []
    for bound, up_to, _ in found.buckets():
        counts.append(up_to - seen)
        seen = up_to
        bounds.append(bound)
    return HistogramDataPoint(
        attributes=dict(labels),
        start_time_unix_nano=since,
        time_unix_nano=now,
        count=seen,
        sum=found.total,
        bucket_counts=counts,
        explicit_bounds=bounds[:-1],
        # Not known; the encoder leaves out what is None.
        min=None,  # type: ignore[arg-type]
        max=None,  # type: ignore[arg-type]
        exemplars=list(_examples(found)),
    )


def _examples(found: Distribution) -> Iterator[Exemplar]:
    """The newest request in each bucket, by its server's span."""
    for _, _, example in found.buckets():
        if example is not None:
            trace_id, span_id = (int(example.labels[name], 16) for name in ("trace_id", "span_id"))
            at = int(float(example.timestamp or 0) * _NANO)
            yield Exemplar({}, float(example.value), at, span_id, trace_id)
