"""Metrics of models: what is told of their state at each scrape."""

# ruff: noqa: D102 - the protocols name attributes that their owners document
from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from podium.telemetry import table
from podium.telemetry.distribution import Distribution
from podium.telemetry.histograms import HistogramFamily
from podium.telemetry.metric import Metric
from podium.telemetry.model_labels import OTHER, ModelLabels


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
    @property
    def gaps(self) -> Distribution: ...


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


class ModelCollector(Collector):
    """Reads model state when scraped, so a gauge can never be stale.

    Models that ``labels`` has no room for are left out.
    """

    def __init__(self, models: Callable[[], Iterable[ModelGauges]], labels: ModelLabels) -> None:
        self._models = models
        self._labels = labels

    def collect(self) -> Iterator[Family]:
        """The present values."""
        models = [model for model in self._models() if self._labels.of(model.name, model.version)[0] != OTHER]
        for metric, value in (*MODEL_GAUGES, *MODEL_COUNTERS):
            family = metric.family()
            for model in models:
                family.add_metric([model.name, model.version], value(model))
            yield family
        gaps = HistogramFamily.of(table.INTER_TOKEN_LATENCY)
        state = table.MODEL_STATE.gauges()
        for model in models:
            gaps.add({"model": model.name, "version": model.version}, model.gaps)
            for known in MODEL_STATES:
                state.add_metric([model.name, model.version, known], float(model.state == known))
        yield gaps
        yield state
