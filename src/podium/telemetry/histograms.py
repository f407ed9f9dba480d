"""Histograms that are counted here, as families of the exposition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from podium.telemetry.distribution import Distribution
from podium.telemetry.metric import Metric


class HistogramFamily(Family):
    """The library's family, which also knows whose counts it shows: for formats with exponential buckets."""

    def __init__(self, name: str, documentation: str) -> None:
        super().__init__(name, documentation, "histogram")
        self.distributions: list[tuple[Mapping[str, str], Distribution]] = []

    @classmethod
    def of(cls, metric: Metric) -> HistogramFamily:
        """An empty one."""
        return cls(metric.name, metric.help)

    def add(self, labels: Mapping[str, str], distribution: Distribution) -> None:
        """One more series."""
        self.distributions.append((labels, distribution))
        for bound, seen, exemplar in distribution.written_buckets():
            self.add_sample(f"{self.name}_bucket", {**labels, "le": bound}, seen, exemplar=exemplar)
        self.add_sample(f"{self.name}_count", dict(labels), distribution.count)
        self.add_sample(f"{self.name}_sum", dict(labels), distribution.total)


class Histograms(Collector):
    """All series of one metric, each made when it is first asked for."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._series: dict[tuple[str, ...], Distribution] = {}

    def at(self, *values: str) -> Distribution:
        """The series with these label values, in the metric's order."""
        found = self._series.get(values)
        if found is None:
            found = self._series[values] = Distribution(self._metric.buckets)
        return found

    def collect(self) -> Iterator[HistogramFamily]:
        """What was counted so far."""
        family = HistogramFamily.of(self._metric)
        for values, distribution in self._series.items():
            family.add(dict(zip(self._metric.labels, values, strict=True)), distribution)
        yield family
