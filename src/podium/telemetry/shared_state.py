"""Metrics of what requests share: the response cache, the quotas, and the store behind them.

Read when scraped. Label values are configured models' names and closed sets; there is no series for a
tenant or a key.
"""

# ruff: noqa: D102 - the protocols name attributes that their owners document
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, get_args

from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from podium.core.standing import CacheStatus, QuotaName, ScopeKind
from podium.telemetry import table
from podium.telemetry.metric import Metric

CACHE_STATUSES: tuple[CacheStatus, ...] = get_args(CacheStatus)
QUOTAS: tuple[QuotaName, ...] = get_args(QuotaName)
SCOPES: tuple[ScopeKind, ...] = get_args(ScopeKind)


class CacheCounts(Protocol):
    """What the store of kept answers gave up, by reason."""

    @property
    def garbage(self) -> int: ...
    @property
    def dropped(self) -> int: ...
    @property
    def too_large(self) -> int: ...
    @property
    def evicted(self) -> int: ...
    @property
    def unanswered(self) -> int: ...


class CacheFigures(Protocol):
    """The response cache of this process. ``requests`` counts by model's name, then by what came of them.

    ``entries`` and ``memory_bytes`` are None where the answers are in a shared store, which a scrape does not ask.
    """

    @property
    def requests(self) -> Mapping[str, Mapping[CacheStatus, int]]: ...
    @property
    def counts(self) -> CacheCounts: ...
    @property
    def entries(self) -> int | None: ...
    @property
    def memory_bytes(self) -> int | None: ...


class QuotaFigures(Protocol):
    """The quotas of this process. ``degraded``: they are local, because the store is away."""

    @property
    def refusals(self) -> Mapping[tuple[ScopeKind, QuotaName], int]: ...
    @property
    def degraded(self) -> bool: ...


class StoreFigures(Protocol):
    """Calls to the store for one purpose; ``state`` is the circuit breaker's."""

    @property
    def purpose(self) -> str: ...
    @property
    def failures(self) -> int: ...
    @property
    def state(self) -> str: ...


_GIVEN_UP: dict[str, Callable[[CacheCounts], int]] = {
    "garbage": lambda counts: counts.garbage,
    "dropped": lambda counts: counts.dropped,
    "too_large": lambda counts: counts.too_large,
    "evicted": lambda counts: counts.evicted,
    "unanswered": lambda counts: counts.unanswered,
}


@dataclass(frozen=True)
class SharedState:
    """What is read at each scrape; None and empty where there is nothing of the kind."""

    cache: CacheFigures | None = None
    quotas: QuotaFigures | None = None
    stores: Iterable[StoreFigures] = ()


class SharedStateCollector(Collector):
    """Reads ``state`` when scraped."""

    def __init__(self, state: SharedState) -> None:
        self._state = state

    def collect(self) -> Iterator[Family]:
        """The present values."""
        if self._state.cache is not None:
            yield from _cache(self._state.cache)
        if self._state.quotas is not None:
            yield from _quotas(self._state.quotas)
        yield from _stores(self._state.stores)


def _cache(cache: CacheFigures) -> Iterator[Family]:
    requests = table.CACHE_REQUESTS.counters()
    for model, counts in cache.requests.items():
        for status in CACHE_STATUSES:
            requests.add_metric([model, status], counts.get(status, 0))
    yield requests
    given_up = table.CACHE_GIVEN_UP.counters()
    for reason, count in _GIVEN_UP.items():
        given_up.add_metric([reason], count(cache.counts))
    yield given_up
    if cache.memory_bytes is not None:
        yield _level(table.CACHE_BYTES, cache.memory_bytes)
    if cache.entries is not None:
        yield _level(table.CACHE_ENTRIES, cache.entries)


def _quotas(quotas: QuotaFigures) -> Iterator[Family]:
    refusals = table.QUOTA_REFUSALS.counters()
    counts = quotas.refusals
    for scope in SCOPES:
        for quota in QUOTAS:
            refusals.add_metric([scope, quota], counts.get((scope, quota), 0))
    yield refusals
    yield _level(table.QUOTA_DEGRADED, float(quotas.degraded))


def _stores(stores: Iterable[StoreFigures]) -> Iterator[Family]:
    failed, is_open = table.STORE_CALLS_FAILED.counters(), table.STORE_OPEN.gauges()
    for store in stores:
        failed.add_metric([store.purpose], store.failures)
        is_open.add_metric([store.purpose], float(store.state != "closed"))
    yield failed
    yield is_open


def _level(metric: Metric, value: float) -> Family:
    family = metric.gauges()
    family.add_metric([], value)
    return family
