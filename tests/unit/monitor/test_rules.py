"""Each rule: when it fires, when it is quiet, when it ends, with too little traffic, and with no data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from podium.config.monitor import Monitor
from podium.monitor.alerts import Alert, AlertBook, Episode
from podium.monitor.catalog import HISTOGRAMS, Key
from podium.monitor.rules import rules_of
from support.monitor import Past, of_all, of_model


@dataclass
class FakeTarget:
    """A target in a state that a test chooses."""

    name: str = "blue-1"
    state: str = "up"
    problem: str = ""


class Watch:
    """A past that goes on, and a book of alerts that is judged in each of its seconds."""

    def __init__(self, **thresholds: float) -> None:
        self.past, self.told = Past(), list[Episode]()
        self.target = FakeTarget()
        given = Monitor.model_validate(thresholds)
        self.book = AlertBook(rules_of(given), self.told.append)

    def passes(self, seconds: int, values: Mapping[Key, float] | None = None) -> None:
        for _ in range(seconds):
            self.past.passes(1, values)
            now = float(self.past.second)
            self.book.evaluate(self.past.windows, [self.target], now=now, wall=now + 1e9)

    def alert(self, rule: str) -> Alert:
        (found,) = [alert for alert in self.book.alerts if alert.rule == rule]
        return found

    def state(self, rule: str) -> str:
        return self.alert(rule).state


def requests(good: float = 0, bad: float = 0) -> dict[Key, float]:
    return {of_model("good"): float(good), of_model("bad"): float(bad)}


def lasting(seconds: float, each: float = 1) -> dict[Key, float]:
    bounds = HISTOGRAMS["e2e_seconds"]
    return {
        **requests(good=each),
        **{of_model("e2e_seconds", bound): each if seconds <= bound else 0.0 for bound in bounds},
    }


def cached(hits: float, misses: float) -> dict[Key, float]:
    return {of_model("cache_hits"): hits, of_model("cache_misses"): misses}


def gpu(ratio: float) -> dict[Key, float]:
    return {of_all("gpu_used_bytes"): ratio * 1000, of_all("gpu_size_bytes"): 1000.0}


BROKEN: dict[str, tuple[dict[Key, float], int]] = {
    "HighErrorRate": (requests(good=9, bad=1), 120),
    "HighLatencyP95": (lasting(9.0), 300),
    "CacheHitRateLow": (cached(1, 1), 900),
    "GpuMemoryHigh": (gpu(0.95), 300),
    "KvCacheFull": ({of_model("kv_ratio"): 0.99}, 300),
}
FINE: dict[str, dict[Key, float]] = {
    "HighErrorRate": requests(good=99, bad=1),
    "HighLatencyP95": lasting(1.0),
    "CacheHitRateLow": cached(9, 1),
    "GpuMemoryHigh": gpu(0.5),
    "KvCacheFull": {of_model("kv_ratio"): 0.5},
    "EngineStalled": {of_model("stalled_seconds"): 0.5},
    "RetryOverflow": {of_all("retry_overflow"): 0.0},
    "ErrorBudgetBurn1h": {of_all("good"): 100.0, of_all("bad"): 1.0},
}
LITTLE: dict[str, dict[Key, float]] = {
    "HighErrorRate": requests(bad=0.01),
    "HighLatencyP95": lasting(9.0, 0.01),
    "CacheHitRateLow": cached(0, 0.05),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_it_is_pending_first_and_fires_after_its_time(rule: str) -> None:
    values, seconds = BROKEN[rule]
    watch = Watch()
    watch.passes(200, values)  # a window of levels is known when half of it is
    assert watch.state(rule) in {"pending", "firing"}
    watch.passes(seconds, values)
    assert watch.state(rule) == "firing"
    assert rule in [episode.alert.rule for episode in watch.book.firing]


def test_shortly_before_its_time_it_does_not_fire() -> None:
    watch = Watch()
    watch.passes(121, requests(good=9, bad=1))  # the least number of requests is there in the second second
    assert watch.state("HighErrorRate") == "pending"
    watch.passes(2, requests(good=9, bad=1))
    assert watch.state("HighErrorRate") == "firing"


@pytest.mark.parametrize("rule", FINE)
def test_it_is_quiet_while_all_is_well(rule: str) -> None:
    watch = Watch()
    watch.passes(500, FINE[rule])
    assert watch.state(rule) == "ok"
    assert rule not in [episode.alert.rule for episode in watch.told]


@pytest.mark.parametrize("rule", LITTLE)
def test_too_little_traffic_says_nothing(rule: str) -> None:
    watch = Watch()
    watch.passes(1300, LITTLE[rule])
    assert watch.state(rule) == "ok"
    assert "say nothing" in watch.alert(rule).sentence


@pytest.mark.parametrize("rule", [*FINE, "ErrorBudgetBurn6h", "ErrorBudgetBurn24h"])
def test_no_data_is_neither_fine_nor_broken(rule: str) -> None:
    watch = Watch()
    watch.passes(300, {})
    assert watch.state(rule) == "no data"
    assert watch.told == []


def test_it_ends_some_time_after_it_is_well_again_and_is_remembered() -> None:
    watch = Watch()
    watch.passes(300, requests(good=9, bad=1))
    watch.passes(280, requests(good=10))  # the window is clean after about 150 s, and it is kept for 300 s more
    assert watch.state("HighErrorRate") == "firing"
    watch.passes(400, requests(good=10))
    assert watch.state("HighErrorRate") == "ok"
    (past,) = [one for one in watch.book.past if one.alert.rule == "HighErrorRate"]
    assert past.end == "resolved"
    assert past.ended_at is not None
    assert past.ended_at > past.fired_at
    assert [one.ended_at is None for one in watch.told if one.alert.rule == "HighErrorRate"] == [True, False]


def test_an_alert_whose_data_ends_is_not_called_resolved() -> None:
    watch = Watch()
    watch.passes(300, requests(good=9, bad=1))
    watch.passes(299, {})  # kept, for as long as the rule says
    assert watch.state("HighErrorRate") == "firing"
    watch.passes(400, {})
    assert watch.state("HighErrorRate") == "no data"
    assert watch.book.past[0].end == "no data"


def test_a_short_fault_does_not_fire() -> None:
    watch = Watch()
    for _ in range(5):
        watch.passes(10, requests(good=1, bad=9))
        watch.passes(400, requests(good=100))
    assert watch.told == []


def test_a_replica_that_stays_away_fires_and_one_that_returns_does_not() -> None:
    watch = Watch(down_seconds=10)
    watch.target.state, watch.target.problem = "stale", "it does not answer"
    watch.passes(9, {})
    watch.target.state = "up"
    watch.passes(5, {})
    assert watch.told == []
    watch.target.state = "down"
    watch.passes(11, {})
    assert watch.state("ReplicaDown") == "firing"
    assert watch.book.firing[0].alert.sentence == "it does not answer"


def test_an_engine_that_stands_still_fires_at_once() -> None:
    watch = Watch(stalled_seconds=5)
    watch.passes(1, {of_model("stalled_seconds"): 5.5})
    assert watch.state("EngineStalled") == "firing"


def test_retries_that_were_not_made_fire() -> None:
    watch = Watch()
    watch.passes(1, {of_all("retry_overflow"): 1.0})
    assert watch.state("RetryOverflow") == "firing"
    watch.passes(200, {of_all("retry_overflow"): 0.0})
    assert watch.state("RetryOverflow") == "ok"


def test_a_budget_that_burns_fires_when_both_windows_say_so() -> None:
    watch = Watch(objective=0.99)
    watch.passes(120, {of_all("good"): 0.0, of_all("bad"): 100.0})
    assert watch.state("ErrorBudgetBurn1h") == "firing"
    watch.passes(400, {of_all("good"): 100.0, of_all("bad"): 0.0})
    assert watch.state("ErrorBudgetBurn1h") == "ok"
    burns = watch.alert("ErrorBudgetBurn1h").value  # in the long window, and the short one is clean
    assert burns is not None
    assert burns > 14.4


def test_thresholds_come_from_the_configuration() -> None:
    watch = Watch(max_error_rate=0.5)
    watch.passes(300, requests(good=7, bad=3))
    assert watch.state("HighErrorRate") == "ok"


def test_a_fingerprint_belongs_to_rule_and_subject() -> None:
    watch = Watch()
    watch.passes(1, {})
    prints = [alert.fingerprint for alert in watch.book.alerts]
    assert len(set(prints)) == len(prints)
    other = Watch()
    other.passes(1, {})
    assert [alert.fingerprint for alert in other.book.alerts] == prints
