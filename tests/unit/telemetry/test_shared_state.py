"""What a scrape tells of the cache, the quotas and the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from prometheus_client.parser import text_string_to_metric_families

from podium.core.standing import CacheStatus, QuotaName, ScopeKind
from podium.telemetry.metrics import ServerMetrics
from podium.telemetry.shared_state import SharedState

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass
class Counts:
    garbage: int = 1
    dropped: int = 2
    too_large: int = 3
    evicted: int = 4
    unanswered: int = 5


@dataclass
class Cache:
    requests: Mapping[str, Mapping[CacheStatus, int]] = field(default_factory=lambda: {"demo": {"hit": 3, "miss": 1}})
    counts: Counts = field(default_factory=Counts)
    entries: int | None = 2
    memory_bytes: int | None = 2048


@dataclass
class Quotas:
    refusals: dict[tuple[ScopeKind, QuotaName], int] = field(default_factory=dict)
    degraded: bool = False


@dataclass
class Store:
    purpose: str = "ledger"
    failures: int = 0
    state: str = "closed"


def scrape(shared: SharedState) -> Samples:
    text = ServerMetrics(list, version="0", shared=shared).exposition().body.decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def test_every_model_has_every_cache_status() -> None:
    samples = scrape(SharedState(cache=Cache()))
    statuses = {"hit": 3, "miss": 1, "attach": 0, "bypass": 0}
    for status, count in statuses.items():
        assert value(samples, "podium_cache_requests_total", model="demo", status=status) == count
    assert value(samples, "podium_cache_bytes") == 2048
    assert value(samples, "podium_cache_entries") == 2


def test_what_the_cache_gave_up_is_told_by_reason() -> None:
    samples = scrape(SharedState(cache=Cache()))
    reasons = {"garbage": 1, "dropped": 2, "too_large": 3, "evicted": 4, "unanswered": 5}
    for reason, count in reasons.items():
        assert value(samples, "podium_cache_given_up_total", reason=reason) == count


def test_the_size_of_a_shared_store_is_not_asked_for_at_a_scrape() -> None:
    names = {name for name, _ in scrape(SharedState(cache=Cache(entries=None, memory_bytes=None)))}
    assert not names & {"podium_cache_bytes", "podium_cache_entries"}


def test_every_quota_of_every_scope_has_a_series_from_the_first_scrape() -> None:
    quotas = Quotas({("tenant", "tokens_per_day"): 4})
    samples = scrape(SharedState(quotas=quotas))
    assert value(samples, "podium_quota_refusals_total", scope="tenant", quota="tokens_per_day") == 4
    assert value(samples, "podium_quota_refusals_total", scope="key", quota="requests_per_minute") == 0
    assert sum(name == "podium_quota_refusals_total" for name, _ in samples) == 18


def test_what_is_no_quota_makes_no_series() -> None:
    quotas = Quotas({("evil", "colour"): 1})  # type: ignore[dict-item]
    assert "evil" not in str(scrape(SharedState(quotas=quotas)))


@pytest.mark.parametrize("degraded", [False, True])
def test_local_quotas_are_told(degraded: bool) -> None:  # noqa: FBT001
    assert value(scrape(SharedState(quotas=Quotas(degraded=degraded))), "podium_quota_degraded") == degraded


@pytest.mark.parametrize(("state", "is_open"), [("closed", 0), ("open", 1), ("half_open", 1)])
def test_a_store_that_is_out_of_use_is_told_by_purpose(state: str, is_open: float) -> None:
    samples = scrape(SharedState(stores=[Store("cache", 7, state), Store("keys")]))
    assert value(samples, "podium_store_open", purpose="cache") == is_open
    assert value(samples, "podium_store_open", purpose="keys") == 0
    assert value(samples, "podium_store_calls_failed_total", purpose="cache") == 7


def test_the_values_are_those_of_the_moment() -> None:
    cache, quotas, store = Cache(), Quotas(), Store()
    metrics = ServerMetrics(list, version="0", shared=SharedState(cache=cache, quotas=quotas, stores=[store]))
    metrics.exposition()
    cache.entries, quotas.degraded, store.failures = 9, True, 3
    text = metrics.exposition().body.decode()
    assert "podium_cache_entries 9.0" in text
    assert "podium_quota_degraded 1.0" in text
    assert 'podium_store_calls_failed_total{purpose="ledger"} 3.0' in text


def test_without_cache_and_quotas_there_are_no_series_of_them() -> None:
    names = {name for name, _ in scrape(SharedState())}
    assert not {name for name in names if name.startswith(("podium_cache", "podium_quota"))}


def test_no_series_is_labelled_with_a_tenant_or_a_key() -> None:
    samples = scrape(SharedState(cache=Cache(), quotas=Quotas(), stores=[Store()]))
    assert {label for _, labels in samples for label, _ in labels} <= {
        "model", "status", "reason", "scope", "quota", "purpose", "version", "route", "outcome", "le", "state", "mode",
        "gpu",
    }  # fmt: skip
