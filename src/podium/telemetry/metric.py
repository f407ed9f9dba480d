"""One metric: what it is called, what it counts, and how the exposition's objects are made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

Kind = Literal["gauge", "counter", "histogram"]
Owner = Literal["server", "monitor"]
"""Who shows it: a server on its admin port, or the monitor at ``/monitoring/metrics``."""

HISTOGRAM_PARTS = ("_bucket", "_sum", "_count")


@dataclass(frozen=True)
class Metric:
    """A row of the table.

    Attributes:
        name: as in a query: with ``_total`` for a counter, without ``_bucket`` for a histogram.
        labels: their values come from the configuration and from closed sets, never from a caller.
        buckets: upper bounds of a histogram; the infinite one is understood.
        shown: when it is there at all; empty: always.
        vllm, otel: what vLLM and OpenTelemetry's conventions call the same; empty where they have no such metric.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    owner: Owner = "server"
    shown: str = ""
    vllm: str = ""
    otel: str = ""

    @property
    def family_name(self) -> str:
        """Its name as the library's families have it: a counter's without ``_total``."""
        return self.name.removesuffix("_total")

    @property
    def bucket(self) -> str:
        """The series of a histogram's buckets, as in a query."""
        return f"{self.name}_bucket"

    @property
    def series(self) -> Mapping[str, Kind]:
        """Every series name that it has in queries, with what each is; the parts of a histogram are counters."""
        parts = dict.fromkeys((self.name + part for part in HISTOGRAM_PARTS), "counter")
        return {self.name: self.kind, **(parts if self.kind == "histogram" else {})}  # type: ignore[dict-item]

    def counter(self, registry: CollectorRegistry) -> Counter:
        """A counter that counts in this process, registered."""
        return Counter(self.name, self.help, self.labels, registry=registry)

    def gauge(self, registry: CollectorRegistry) -> Gauge:
        """A gauge that is set in this process, registered."""
        return Gauge(self.name, self.help, self.labels, registry=registry)

    def counters(self) -> CounterMetricFamily:
        """Counters whose values are read elsewhere at each scrape; add them with ``add_metric``."""
        return CounterMetricFamily(self.name, self.help, labels=self.labels)

    def family(self) -> CounterMetricFamily | GaugeMetricFamily:
        """``counters`` or ``gauges``, as the metric's kind is."""
        return self.counters() if self.kind == "counter" else self.gauges()

    def gauges(self) -> GaugeMetricFamily:
        """Gauges whose values are read elsewhere at each scrape; add them with ``add_metric``."""
        return GaugeMetricFamily(self.name, self.help, labels=self.labels)
