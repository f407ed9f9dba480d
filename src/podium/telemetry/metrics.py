"""The server's metrics: what is counted when, and the text exposition. Names, labels and buckets are in ``table``.

Requests are counted when they end; received = ended + in flight at every scrape. Label values come
from the configuration and from closed sets, never from a caller.
"""

# ruff: noqa: D102 - the protocols name attributes that their owners document
from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from podium.core.outcome import OUTCOMES
from podium.telemetry import table
from podium.telemetry.gpus import GpuCollector, ReadGpus
from podium.telemetry.machine import MachineCollector
from podium.telemetry.metric import Metric
from podium.telemetry.shared_state import SharedState, SharedStateCollector


class Tokens(Protocol):
    """Token counts of a finished request."""

    @property
    def prompt_tokens(self) -> int: ...
    @property
    def completion_tokens(self) -> int: ...


class FinishedRequest(Protocol):
    """What is counted of a request at its end; ``model`` is ``none`` when it was never resolved."""

    @property
    def route(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def computed(self) -> Tokens: ...
    @property
    def queue_seconds(self) -> float | None: ...
    @property
    def ttft_seconds(self) -> float | None: ...
    @property
    def seconds_per_output_token(self) -> float | None: ...
    @property
    def e2e_seconds(self) -> float: ...


class TokenCounts(Protocol):
    """Output tokens of a model: ``sampled`` is the sum of the others."""

    @property
    def sampled(self) -> int: ...
    @property
    def delivered(self) -> int: ...
    @property
    def discarded(self) -> int: ...
    @property
    def unread(self) -> int: ...


class ModelGauges(Protocol):
    """What is told of a model at each scrape."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def running(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def running_limit(self) -> int: ...
    @property
    def queue_limit(self) -> int: ...
    @property
    def restarts(self) -> int: ...
    @property
    def tokens(self) -> TokenCounts: ...
    @property
    def memory_bytes(self) -> int | None: ...
    @property
    def kv_cache_usage_ratio(self) -> float: ...
    @property
    def stalled_seconds(self) -> float: ...


MODEL_STATES = ("unloaded", "loading", "warming", "ready", "draining", "failed")


MODEL_GAUGES: tuple[tuple[Metric, Callable[[ModelGauges], float]], ...] = (
    (table.MODEL_RUNNING, lambda model: model.running),
    (table.MODEL_WAITING, lambda model: model.waiting),
    (table.RUNNING_LIMIT, lambda model: model.running_limit),
    (table.QUEUE_LIMIT, lambda model: model.queue_limit),
    (table.KV_CACHE_USAGE, lambda model: model.kv_cache_usage_ratio),
    (table.MODEL_MEMORY, lambda model: model.memory_bytes or 0),
    (table.LAST_PROGRESS, lambda model: time.time() - model.stalled_seconds),
    (table.TOKENS_UNREAD, lambda model: model.tokens.unread),
)
MODEL_COUNTERS: tuple[tuple[Metric, Callable[[ModelGauges], float]], ...] = (
    (table.WORKER_RESTARTS, lambda model: model.restarts),
    (table.TOKENS_SAMPLED, lambda model: model.tokens.sampled),
    (table.TOKENS_DELIVERED, lambda model: model.tokens.delivered),
    (table.TOKENS_DISCARDED, lambda model: model.tokens.discarded),
)


class ServerMetrics:
    """One process's metrics. ``models`` and ``gpus`` are called, and ``shared`` read, at each scrape."""

    def __init__(
        self,
        models: Callable[[], Iterable[ModelGauges]],
        *,
        version: str,
        shared: SharedState | None = None,
        gpus: ReadGpus = tuple,
    ) -> None:
        self._registry = registry = CollectorRegistry()
        registry.register(_ModelCollector(models))
        registry.register(SharedStateCollector(shared or SharedState()))
        registry.register(MachineCollector())
        registry.register(GpuCollector(gpus))
        self._received = table.REQUESTS_RECEIVED.counter(registry)
        self._in_flight = table.REQUESTS_IN_FLIGHT.gauge(registry)
        self._ended = table.REQUESTS.counter(registry)
        self._known: set[tuple[str, str, str]] = set()
        self._duration = table.REQUEST_DURATION.histogram(registry)
        self._first_token = table.TIME_TO_FIRST_TOKEN.histogram(registry)
        self._per_token = table.TIME_PER_OUTPUT_TOKEN.histogram(registry)
        self._queue = table.QUEUE_DURATION.histogram(registry)
        self._prompt_tokens = table.PROMPT_TOKENS.counter(registry)
        self._output_tokens = table.OUTPUT_TOKENS.counter(registry)
        self._batch_lines = table.BATCH_LINES.counter(registry)
        table.BUILD_INFO.gauge(registry).labels(version).set(1)

    def received(self, route: str) -> None:
        """A request arrived."""
        self._received.labels(route).inc()
        self._in_flight.labels(route).inc()

    def finished(self, record: FinishedRequest) -> None:
        """It ended, with exactly one outcome."""
        model = (record.model, record.version)
        self._in_flight.labels(record.route).dec()
        if (*model, record.route) not in self._known:
            self._know(*model, record.route)
        self._ended.labels(*model, record.route, record.outcome).inc()
        self._duration.labels(*model, record.route).observe(record.e2e_seconds)
        if record.queue_seconds is not None:
            self._queue.labels(*model).observe(record.queue_seconds)
        if record.outcome == "ok" and record.ttft_seconds is not None:
            self._first_token.labels(*model).observe(record.ttft_seconds)
        if record.outcome == "ok" and record.seconds_per_output_token is not None:
            self._per_token.labels(*model).observe(record.seconds_per_output_token)
        self._count_tokens(record)

    def background(self, record: FinishedRequest) -> None:
        """A line of a batch was tried: it waits by design, so how long it took says nothing about the service."""
        self._batch_lines.labels(record.model, record.version, record.outcome).inc()
        self._count_tokens(record)

    def _count_tokens(self, record: FinishedRequest) -> None:
        self._prompt_tokens.labels(record.model, record.version).inc(record.computed.prompt_tokens)
        self._output_tokens.labels(record.model, record.version).inc(record.computed.completion_tokens)

    def _know(self, model: str, version: str, route: str) -> None:
        """Every outcome begins at 0 with the first of them: a rate misses the increment with which a series begins."""
        self._known.add((model, version, route))
        for outcome in OUTCOMES:
            self._ended.labels(model, version, route, outcome)

    def exposition(self) -> bytes:
        """Prometheus text format 0.0.4."""
        return generate_latest(self._registry)


class _ModelCollector(Collector):
    """Reads model state when scraped, so a gauge can never be stale."""

    def __init__(self, models: Callable[[], Iterable[ModelGauges]]) -> None:
        self._models = models

    def collect(self) -> Iterator[Family]:
        models = list(self._models())
        for metric, value in (*MODEL_GAUGES, *MODEL_COUNTERS):
            family = metric.family()
            for model in models:
                family.add_metric([model.name, model.version], value(model))
            yield family
        state = table.MODEL_STATE.gauges()
        for model in models:
            for known in MODEL_STATES:
                state.add_metric([model.name, model.version, known], float(model.state == known))
        yield state
