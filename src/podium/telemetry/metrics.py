"""The server's metrics: every name, label and bucket in one place, and the text exposition.

Requests are counted when they end; received = ended + in flight at every scrape. Label values come
from the configuration and from closed sets, never from a caller.
"""

# ruff: noqa: D102 - the protocols name attributes that their owners document
from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from podium.telemetry.shared_state import SharedState, SharedStateCollector

FIRST_TOKEN_BUCKETS = (
    0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60,
)  # fmt: skip
PER_TOKEN_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5)
DURATION_BUCKETS = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68,
)  # fmt: skip
TOKEN_BUCKETS = tuple(4**power for power in range(11))


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
    def first_token_seconds(self) -> float | None: ...
    @property
    def seconds_per_output_token(self) -> float | None: ...
    @property
    def e2e_seconds(self) -> float: ...


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
    def memory_bytes(self) -> int | None: ...
    @property
    def kv_cache_usage_ratio(self) -> float: ...
    @property
    def stalled_seconds(self) -> float: ...


MODEL_STATES = ("unloaded", "loading", "warming", "ready", "draining", "failed")


MODEL_GAUGES: tuple[tuple[str, str, Callable[[ModelGauges], float]], ...] = (
    ("podium_model_running_sequences", "Sequences in the running batch.", lambda model: model.running),
    ("podium_model_waiting_requests", "Requests in the admission queue.", lambda model: model.waiting),
    ("podium_running_limit_sequences", "Most sequences in the running batch.", lambda model: model.running_limit),
    ("podium_queue_limit_requests", "Most requests in the admission queue.", lambda model: model.queue_limit),
    ("podium_kv_cache_usage_ratio", "KV cache in use, 0 to 1.", lambda model: model.kv_cache_usage_ratio),
    ("podium_model_memory_bytes", "Resident memory of the worker.", lambda model: model.memory_bytes or 0),
    (
        "podium_engine_last_progress_timestamp_seconds",
        "When the engine last made a step, or had nothing to do; seconds since 1970.",
        lambda model: time.time() - model.stalled_seconds,
    ),
)


class ServerMetrics:
    """One process's metrics. ``models`` is called, and ``shared`` read, at each scrape."""

    def __init__(
        self, models: Callable[[], Iterable[ModelGauges]], *, version: str, shared: SharedState | None = None
    ) -> None:
        self._registry = registry = CollectorRegistry()
        registry.register(_ModelCollector(models))
        registry.register(SharedStateCollector(shared or SharedState()))
        by_model = ("model", "version")
        self._received = Counter("podium_requests_received", "Requests that arrived.", ("route",), registry=registry)
        self._in_flight = Gauge("podium_requests_in_flight", "Requests not ended yet.", ("route",), registry=registry)
        self._ended = Counter(
            "podium_requests", "Requests that ended.", (*by_model, "route", "outcome"), registry=registry
        )
        self._duration = Histogram(
            "podium_request_duration_seconds", "From arrival to end.", (*by_model, "route"),
            buckets=DURATION_BUCKETS, registry=registry,
        )  # fmt: skip
        self._first_token = Histogram(
            "podium_time_to_first_token_seconds", "From arrival to the first token.", by_model,
            buckets=FIRST_TOKEN_BUCKETS, registry=registry,
        )  # fmt: skip
        self._per_token = Histogram(
            "podium_time_per_output_token_seconds", "Mean gap between tokens of one request.", by_model,
            buckets=PER_TOKEN_BUCKETS, registry=registry,
        )  # fmt: skip
        self._queue = Histogram(
            "podium_queue_duration_seconds", "Wait for the running batch.", by_model,
            buckets=FIRST_TOKEN_BUCKETS, registry=registry,
        )  # fmt: skip
        self._prompt_tokens = Counter(
            "podium_prompt_tokens",
            "Prompt tokens that an engine computed; not those of kept or shared answers.",
            by_model,
            registry=registry,
        )
        self._output_tokens = Counter(
            "podium_output_tokens",
            "Tokens that an engine computed; not those of kept or shared answers.",
            by_model,
            registry=registry,
        )
        build = Gauge("podium_build_info", "Constant 1.", ("version",), registry=registry)
        build.labels(version).set(1)

    def received(self, route: str) -> None:
        """A request arrived."""
        self._received.labels(route).inc()
        self._in_flight.labels(route).inc()

    def finished(self, record: FinishedRequest) -> None:
        """It ended, with exactly one outcome."""
        model = (record.model, record.version)
        self._in_flight.labels(record.route).dec()
        self._ended.labels(*model, record.route, record.outcome).inc()
        self._duration.labels(*model, record.route).observe(record.e2e_seconds)
        if record.queue_seconds is not None:
            self._queue.labels(*model).observe(record.queue_seconds)
        if record.outcome == "ok" and record.first_token_seconds is not None:
            self._first_token.labels(*model).observe(record.first_token_seconds)
        if record.outcome == "ok" and record.seconds_per_output_token is not None:
            self._per_token.labels(*model).observe(record.seconds_per_output_token)
        self._prompt_tokens.labels(*model).inc(record.computed.prompt_tokens)
        self._output_tokens.labels(*model).inc(record.computed.completion_tokens)

    def exposition(self) -> bytes:
        """Prometheus text format 0.0.4."""
        return generate_latest(self._registry)


class _ModelCollector(Collector):
    """Reads model state when scraped, so a gauge can never be stale."""

    def __init__(self, models: Callable[[], Iterable[ModelGauges]]) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        models = list(self._models())
        labels = ["model", "version"]
        for name, text, value in MODEL_GAUGES:
            family = GaugeMetricFamily(name, text, labels=labels)
            for model in models:
                family.add_metric([model.name, model.version], value(model))
            yield family
        restarts = CounterMetricFamily("podium_worker_restarts", "Workers replaced.", labels=labels)
        state = GaugeMetricFamily("podium_model_state", "1 for the present state.", labels=[*labels, "state"])
        for model in models:
            restarts.add_metric([model.name, model.version], model.restarts)
            for known in MODEL_STATES:
                state.add_metric([model.name, model.version, known], float(model.state == known))
        yield restarts
        yield state
