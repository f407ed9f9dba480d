"""The server's metrics: what is counted when. Names, labels and buckets are in ``table``, formats in ``exposition``.

Requests are counted when they end; received = ended + in flight at every scrape. Label values come
from the configuration and from closed sets, never from a caller.
"""

# ruff: noqa: D102 - the protocols name attributes that their owners document
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from podium.core.outcome import OUTCOMES, class_of
from podium.core.trace_context import TraceContext
from podium.telemetry import table
from podium.telemetry.exposition import PLAIN, Formats, Page
from podium.telemetry.gpus import GpuCollector, ReadGpus
from podium.telemetry.histograms import Histograms
from podium.telemetry.machine import MachineCollector
from podium.telemetry.model_labels import ModelLabels
from podium.telemetry.model_state import ModelCollector, ModelGauges
from podium.telemetry.shared_state import SharedState, SharedStateCollector


class Tokens(Protocol):
    """Token counts of a finished request."""

    @property
    def prompt_tokens(self) -> int: ...
    @property
    def completion_tokens(self) -> int: ...


class OpenRequest(Protocol):
    """What is counted of a request until its end. ``phase`` is of a closed set."""

    @property
    def route(self) -> str: ...
    @property
    def phase(self) -> str: ...


class FinishedRequest(OpenRequest, Protocol):
    """What is counted of a request at its end; ``model`` is ``none`` when it was never resolved."""

    @property
    def model(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def computed(self) -> Tokens: ...
    @property
    def is_computed(self) -> bool: ...
    @property
    def queue_seconds(self) -> float | None: ...
    @property
    def prefill_seconds(self) -> float | None: ...
    @property
    def decode_seconds(self) -> float | None: ...
    @property
    def ttft_seconds(self) -> float | None: ...
    @property
    def seconds_per_output_token(self) -> float | None: ...
    @property
    def e2e_seconds(self) -> float: ...
    @property
    def trace(self) -> TraceContext: ...


class ServerMetrics:
    """One process's metrics. ``models`` and ``gpus`` are called, and ``shared`` read, at each scrape.

    ``collectors`` are others whose families are shown too. ``sampled_only``: examples are of traces that are recorded
    somewhere; else of any request, whose log line has the same id.
    """

    def __init__(
        self,
        models: Callable[[], Iterable[ModelGauges]],
        *,
        version: str,
        shared: SharedState | None = None,
        gpus: ReadGpus = tuple,
        collectors: Iterable[Collector] = (),
        formats: Formats = PLAIN,
        sampled_only: bool = False,
    ) -> None:
        self.registry = registry = CollectorRegistry()
        self._formats = formats
        self._sampled_only = sampled_only
        self._labels = ModelLabels()
        self._open = _OpenRequests()
        parts: list[Collector] = [
            ModelCollector(models, self._labels),
            SharedStateCollector(shared or SharedState()),
            MachineCollector(),
            GpuCollector(gpus),
            self._open,
            _Folded(self._labels),
        ]
        self._received = table.REQUESTS_RECEIVED.counter(registry)
        self._ended = table.REQUESTS.counter(registry)
        self._known: set[tuple[str, str, str]] = set()
        self._duration = Histograms(table.REQUEST_DURATION)
        self._of_model = _ModelHistograms()
        for part in (*parts, self._duration, *self._of_model.all, *collectors):
            registry.register(part)
        self._prompt_tokens = table.PROMPT_TOKENS.counter(registry)
        self._output_tokens = table.OUTPUT_TOKENS.counter(registry)
        self._batch_lines = table.BATCH_LINES.counter(registry)
        table.BUILD_INFO.gauge(registry).labels(version).set(1)

    def received(self, record: OpenRequest) -> None:
        """A request arrived; its ``phase`` is read at each scrape until it ends."""
        self._received.labels(record.route).inc()
        self._open.add(record)

    def finished(self, record: FinishedRequest) -> None:
        """It ended, with exactly one outcome."""
        model = self._labels.of(record.model, record.version)
        self._open.remove(record)
        if (*model, record.route) not in self._known:
            self._know(*model, record.route)
        self._ended.labels(*model, record.route, record.outcome).inc()
        trace = None if self._sampled_only and not record.trace.sampled else record.trace
        self._duration.at(*model, record.route, class_of(record.outcome)).observe(record.e2e_seconds, trace)
        self._of_model.observe(model, record, trace)
        self._count_tokens(model, record)

    def background(self, record: FinishedRequest) -> None:
        """A line of a batch was tried: it waits by design, so how long it took says nothing about the service."""
        model = self._labels.of(record.model, record.version)
        self._batch_lines.labels(*model, record.outcome).inc()
        self._count_tokens(model, record)

    def _count_tokens(self, model: tuple[str, str], record: FinishedRequest) -> None:
        self._prompt_tokens.labels(*model).inc(record.computed.prompt_tokens)
        self._output_tokens.labels(*model).inc(record.computed.completion_tokens)

    def _know(self, model: str, version: str, route: str) -> None:
        """Every outcome begins at 0 with the first of them: a rate misses the increment with which a series begins."""
        self._known.add((model, version, route))
        for outcome in OUTCOMES:
            self._ended.labels(model, version, route, outcome)

    def exposition(self, accept: str = "") -> Page:
        """The page in the format that the ``accept`` header asks for; see ``Formats``."""
        return self._formats.page(self.registry, accept)


class _ModelHistograms:
    """Durations by model. A queue is waited in by requests that end badly too; all else is of those that end well.

    And of those alone for which an engine worked: kept answers begin within microseconds, and the more of them there
    are, the less a percentile would say of engines.
    """

    def __init__(self) -> None:
        self._queue = Histograms(table.QUEUE_DURATION)
        self._of_good: tuple[tuple[Histograms, Callable[[FinishedRequest], float | None]], ...] = (
            (Histograms(table.TIME_TO_FIRST_TOKEN), lambda record: record.ttft_seconds),
            (Histograms(table.TIME_PER_OUTPUT_TOKEN), lambda record: record.seconds_per_output_token),
            (Histograms(table.PREFILL_DURATION), lambda record: record.prefill_seconds),
            (Histograms(table.DECODE_DURATION), lambda record: record.decode_seconds),
        )
        self.all = (self._queue, *(histograms for histograms, _ in self._of_good))

    def observe(self, model: tuple[str, str], record: FinishedRequest, trace: TraceContext | None) -> None:
        if record.queue_seconds is not None:
            self._queue.at(*model).observe(record.queue_seconds, trace)
        if record.outcome != "ok" or not record.is_computed:
            return
        for histograms, seconds in self._of_good:
            if (known := seconds(record)) is not None:
                histograms.at(*model).observe(known, trace)


class _OpenRequests(Collector):
    """Requests that have not ended. A route and phase that had one once stays, at 0 when it has none."""

    def __init__(self) -> None:
        self._records: dict[int, OpenRequest] = {}
        self._seen: set[tuple[str, str]] = set()

    def add(self, record: OpenRequest) -> None:
        self._records[id(record)] = record
        self._seen.add((record.route, record.phase))

    def remove(self, record: OpenRequest) -> None:
        del self._records[id(record)]

    def collect(self) -> Iterator[Family]:
        counts = Counter((record.route, record.phase) for record in self._records.values())
        self._seen.update(counts)
        family = table.REQUESTS_IN_FLIGHT.gauges()
        for place in sorted(self._seen):
            family.add_metric(place, counts[place])
        yield family


class _Folded(Collector):
    """How often a model's version was not told from others."""

    def __init__(self, labels: ModelLabels) -> None:
        self._labels = labels

    def collect(self) -> Iterator[Family]:
        family = table.SERIES_DROPPED.counters()
        family.add_metric([], self._labels.folded)
        yield family
