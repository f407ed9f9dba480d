"""Each rule: when it fires, when it is quiet, when it ends, with too little traffic, and with no data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    """A past that goes on, and a book of alerts that is judged in each of its seconds.

    ``only``: just this rule is judged, which takes less time. ``before``: alerts that fired before a restart.
    """

    def __init__(self, only: str = "", before: Iterable[Episode] = (), **thresholds: float) -> None:
        self.past, self.told = Past(), list[Episode]()
        self.target = FakeTarget()
        rules = [rule for rule in rules_of(Monitor.model_validate(thresholds)) if only in ("", rule.name)]
        self.book = AlertBook(rules, self.told.append, past=before)

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


def lasting(seconds: float, each: float = 1, *, figure: str = "e2e_seconds") -> dict[Key, float]:
    bounds = HISTOGRAMS[figure]
    return {
        **requests(good=each),
        **{of_model(figure, bound): each if seconds <= bound else 0.0 for bound in bounds},
    }


def cached(hits: float, misses: float) -> dict[Key, float]:
    return {of_model("cache_hits"): hits, of_model("cache_misses"): misses}


def gpu(ratio: float) -> dict[Key, float]:
    return {of_all("gpu_used_bytes"): ratio * 1000, of_all("gpu_size_bytes"): 1000.0}


HEALTHY = Key("environment", "blue", "healthy")

BROKEN: dict[str, tuple[dict[Key, float], int]] = {
    "HighErrorRate": (requests(good=9, bad=1), 120),
    "HighLatencyP95": (lasting(9.0), 300),
    "CacheHitRateLow": (cached(1, 1), 900),
    "GpuMemoryHigh": (gpu(0.95), 300),
    "KvCacheFull": ({of_model("kv_ratio"): 0.99}, 300),
    "StreamErrors": ({**requests(good=98, bad=2), of_model("stream_errors"): 2.0}, 120),
    "HighTtftP95": (lasting(9.0, figure="ttft_seconds"), 300),
    "HighTpotP95": (lasting(2.0, figure="inter_token_seconds"), 300),
    "ModelLoadFailed": ({of_model("failed"): 1.0}, 60),
    "StoreAway": ({of_all("store_open"): 1.0}, 60),
}
FINE: dict[str, dict[Key, float]] = {
    "HighErrorRate": requests(good=99, bad=1),
    "HighLatencyP95": lasting(1.0),
    "CacheHitRateLow": cached(9, 1),
    "GpuMemoryHigh": gpu(0.5),
    "KvCacheFull": {of_model("kv_ratio"): 0.5},
    "EngineStalled": {of_model("stalled_seconds"): 0.5},
    "RetryOverflow": {of_all("retry_overflow"): 0.0},
    "StreamErrors": {**requests(good=99, bad=9), of_model("stream_errors"): 0.5},
    "HighTtftP95": lasting(1.0, figure="ttft_seconds"),
    "HighTpotP95": lasting(0.1, figure="inter_token_seconds"),
    "ModelLoadFailed": {of_model("failed"): 0.0},
    "StoreAway": {of_all("store_open"): 0.0},
    "NoHealthyServer": {HEALTHY: 2.0, of_all("unanswered"): 0.0},
    "GatewayConfigRejected": {of_all("rejections"): 0.0},
    "RolloutStuck": {of_all("rollout_waiting_seconds"): 1.0},
    "WebhookFailing": {of_all("messages_lost"): 0.0},
    "SeriesDropped": {of_all("series_dropped"): 0.0},
    "ModelsWithoutHistory": {of_all("models_left_out"): 0.0},
    "GpuXid": {of_all("gpu_xid_errors"): 0.0},
    "LogDrops": {of_all("log_records_dropped"): 0.0},
    "ErrorBudgetBurn1h": {of_all("good"): 100.0, of_all("bad"): 1.0},
}
LITTLE: dict[str, dict[Key, float]] = {
    "HighErrorRate": requests(bad=0.01),
    "HighLatencyP95": lasting(9.0, 0.01),
    "CacheHitRateLow": cached(0, 0.05),
    "StreamErrors": {**requests(bad=0.01), of_model("stream_errors"): 0.01},
    "HighTtftP95": lasting(9.0, 0.01, figure="ttft_seconds"),
    "HighTpotP95": lasting(2.0, 0.01, figure="inter_token_seconds"),
}
AT_ONCE: dict[str, dict[Key, float]] = {
    "RetryOverflow": {of_all("retry_overflow"): 1.0},
    "GatewayConfigRejected": {of_all("rejections"): 1.0},
    "RolloutStuck": {of_all("rollout_waiting_seconds"): 901.0},
    "WebhookFailing": {of_all("messages_lost"): 1.0},
    "SeriesDropped": {of_all("series_dropped"): 1.0},
    "ModelsWithoutHistory": {of_all("models_left_out"): 1.0},
    "GpuXid": {of_all("gpu_xid_errors"): 1.0},
    "LogDrops": {of_all("log_records_dropped"): 1.0},
}
"""Rules that wait for nothing, with what breaks them."""


@pytest.mark.parametrize("rule", BROKEN)
def test_it_is_pending_first_and_fires_after_its_time(rule: str) -> None:
    values, seconds = BROKEN[rule]
    watch = Watch(rule)
    watch.passes(200, values)  # a window of levels is known when half of it is
    assert watch.state(rule) in {"pending", "firing"}
    watch.passes(seconds, values)
    assert watch.state(rule) == "firing"
    assert rule in [episode.alert.rule for episode in watch.book.firing]


def test_shortly_before_its_time_it_does_not_fire() -> None:
    watch = Watch("HighErrorRate")
    watch.passes(121, requests(good=9, bad=1))  # the least number of requests is there in the second second
    assert watch.state("HighErrorRate") == "pending"
    watch.passes(2, requests(good=9, bad=1))
    assert watch.state("HighErrorRate") == "firing"


@pytest.mark.parametrize("rule", FINE)
def test_it_is_quiet_while_all_is_well(rule: str) -> None:
    watch = Watch(rule)
    watch.passes(500, FINE[rule])
    assert watch.state(rule) == "ok"
    assert rule not in [episode.alert.rule for episode in watch.told]


@pytest.mark.parametrize("rule", LITTLE)
def test_too_little_traffic_says_nothing(rule: str) -> None:
    watch = Watch(rule)
    watch.passes(1300, LITTLE[rule])
    assert watch.state(rule) == "ok"
    assert "say nothing" in watch.alert(rule).sentence


@pytest.mark.parametrize("rule", [*FINE, "ErrorBudgetBurn6h", "ErrorBudgetBurn24h"])
def test_no_data_is_neither_fine_nor_broken(rule: str) -> None:
    watch = Watch(rule)
    watch.passes(300, {})
    assert watch.state(rule) == "no data"
    assert watch.told == []


def test_it_ends_some_time_after_it_is_well_again_and_is_remembered() -> None:
    watch = Watch("HighErrorRate")
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
    watch = Watch("HighErrorRate")
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


@pytest.mark.parametrize("rule", AT_ONCE)
def test_what_should_never_happen_fires_at_once_and_ends_when_it_is_past(rule: str) -> None:
    watch = Watch(rule)
    watch.passes(1, AT_ONCE[rule])
    assert watch.state(rule) == "firing"
    watch.passes(1000, FINE[rule])
    assert watch.state(rule) == "ok"


def test_requests_that_no_server_could_take_fire_but_not_before_a_server_was_healthy() -> None:
    watch = Watch("NoHealthyServer")
    none = {HEALTHY: 0.0, of_all("unanswered"): 3.0}
    watch.passes(30, none)
    assert watch.state("NoHealthyServer") == "ok"
    assert "no server has been healthy for a minute yet" in watch.alert("NoHealthyServer").sentence
    watch.passes(100, {HEALTHY: 1.0, of_all("unanswered"): 0.0})
    assert watch.told == []
    watch.passes(1, none)
    assert watch.state("NoHealthyServer") == "ok"  # as many as are allowed
    watch.passes(1, none)
    assert watch.state("NoHealthyServer") == "firing"
    watch.passes(130, {HEALTHY: 1.0, of_all("unanswered"): 0.0})
    assert watch.state("NoHealthyServer") == "ok"


def test_a_budget_that_burns_fires_when_both_windows_say_so() -> None:
    watch = Watch("ErrorBudgetBurn1h", objective=0.99)
    watch.passes(120, {of_all("good"): 0.0, of_all("bad"): 100.0})
    assert watch.state("ErrorBudgetBurn1h") == "firing"
    watch.passes(400, {of_all("good"): 100.0, of_all("bad"): 0.0})
    assert watch.state("ErrorBudgetBurn1h") == "ok"
    burns = watch.alert("ErrorBudgetBurn1h").value  # in the long window, and the short one is clean
    assert burns is not None
    assert burns > 14.4


def resumed(rule: str, values: Mapping[Key, float] | None, seconds: int) -> Watch:
    """A watch that was started anew while ``rule`` fired, and has seen ``values`` for so many seconds."""
    alert = Alert(rule, "page", "gpu" if rule == "GpuMemoryHigh" else "store" if rule == "StoreAway" else "m",
                  "firing", 1.0, "it was broken", 1.0)  # fmt: skip
    watch = Watch(rule, before=[Episode(alert, fired_at=1.0)])
    watch.passes(seconds, values)
    return watch


@pytest.mark.parametrize("rule", BROKEN)
def test_an_alert_that_goes_on_over_a_restart_is_not_told_again_but_its_end_is(rule: str) -> None:
    watch = resumed(rule, BROKEN[rule][0], 200)
    assert watch.state(rule) == "firing"
    assert watch.told == []
    watch.passes(1250, FINE[rule])
    assert [(one.alert.rule, one.end) for one in watch.told] == [(rule, "resolved")]


def test_after_a_restart_nothing_is_over_before_the_rule_has_seen_its_window() -> None:
    watch = resumed("HighErrorRate", requests(good=10), 290)
    assert watch.state("HighErrorRate") == "firing"
    watch.passes(320, requests(good=10))
    assert watch.state("HighErrorRate") == "ok"


def test_after_a_restart_without_any_data_an_alert_ends_as_what_it_is() -> None:
    watch = resumed("HighErrorRate", {}, 290)
    assert watch.told == []
    watch.passes(320, {})
    assert [one.end for one in watch.told] == ["no data"]


def test_an_alert_about_something_that_there_is_no_more_ends_after_a_restart() -> None:
    fired = Alert("HighErrorRate", "page", "a model of before", "firing", 1.0, "it fails", 0.5)
    watch = Watch(fired.rule, before=[Episode(fired, fired_at=1.0)])
    watch.passes(50, {})
    assert watch.told == []
    watch.passes(20, {})
    assert [(one.alert.subject, one.end) for one in watch.told] == [("a model of before", "no data")]
    assert "a model of before" not in [alert.subject for alert in watch.book.alerts]


def test_a_replica_that_is_well_when_the_monitor_is_back_is_told_as_well_at_once() -> None:
    fired = Alert("ReplicaDown", "page", "blue-1", "firing", 1.0, "it is away", 0.0)
    watch = Watch(fired.rule, before=[Episode(fired, fired_at=1.0)])
    watch.passes(1, {})
    assert [one.end for one in watch.told] == ["resolved"]


def test_thresholds_come_from_the_configuration() -> None:
    watch = Watch("HighErrorRate", max_error_rate=0.5)
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
