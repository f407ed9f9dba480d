"""One target: increments across restarts, and failures that are told as what they are."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from podium.monitor.catalog import Key, catalog_of
from podium.monitor.gpus import GpuNow
from podium.monitor.meaning import of_envoy, of_replica
from podium.monitor.target import STALE_SECONDS, ScrapeRefused, Target
from support.monitor import Clock, of_all, of_model

SERVED = 'podium_model_state{model="m",state="ready",version="1"} 1\n'
GOOD = Key("environment", "blue", "good")


class Answers:
    """Gives the newest text, or raises it."""

    def __init__(self) -> None:
        self.next: str | Exception = ""

    async def __call__(self) -> bytes:
        if isinstance(self.next, Exception):
            raise self.next
        return self.next.encode()


class Scraped:
    """A replica of the environment ``blue`` that serves ``m``."""

    def __init__(self) -> None:
        self.clock, self.answers = Clock(), Answers()
        self.target = Target(
            "blue-1",
            "blue",
            "http://x",
            self.answers,
            lambda name, labels: of_replica("blue", name, labels),
            catalog_of(["blue"], ["m"]),
            always=(GOOD,),
            clock=self.clock,
            wall_clock=lambda: 5000.0,
        )

    def scrape(self, answer: str | Exception) -> dict[Key, float] | None:
        self.answers.next = answer
        self.clock.now += 1
        return asyncio.run(self.target.scrape())


def ended(count: int, outcome: str = "ok", route: str = "/generate") -> str:
    labels = f'model="m",outcome="{outcome}",route="{route}",version="1"'
    return f"podium_requests_total{{{labels}}} {count}\n{SERVED}"


@pytest.fixture
def scraped() -> Scraped:
    return Scraped()


def test_what_was_counted_before_the_first_look_is_not_counted(scraped: Scraped) -> None:
    first = scraped.scrape(ended(1_000_000))
    assert first is not None
    assert GOOD not in first


def test_increments_are_differences(scraped: Scraped) -> None:
    scraped.scrape(ended(10))
    found = scraped.scrape(ended(13))
    assert found is not None
    assert (found[GOOD], found[of_all("good")], found[of_model("good")]) == (3, 3, 3)


def test_a_counter_that_went_back_counts_from_zero(scraped: Scraped) -> None:
    scraped.scrape(ended(10))
    found = scraped.scrape(ended(4))
    assert found is not None
    assert found[GOOD] == 4


def test_a_series_that_appears_counts_in_full(scraped: Scraped) -> None:
    """Otherwise the first error of a process would never be seen."""
    scraped.scrape(ended(10))
    found = scraped.scrape(ended(10) + ended(2, "server_error"))
    assert found is not None
    assert found[of_model("bad")] == 2


def test_of_a_model_that_is_served_no_errors_are_zero_errors(scraped: Scraped) -> None:
    scraped.scrape(SERVED)
    found = scraped.scrape(SERVED)
    assert found is not None
    assert found[of_model("bad")] == 0
    assert found[of_model("e2e_seconds", 5)] == 0


def test_of_a_replica_that_has_served_nothing_yet_no_requests_are_zero_requests(scraped: Scraped) -> None:
    scraped.scrape("podium_build_info 1\n")
    found = scraped.scrape("podium_build_info 1\n")
    assert found == {GOOD: 0}


@pytest.mark.parametrize(
    ("outcome", "figure"),
    [("ok", "good"), ("overloaded", "bad"), ("stream_error", "bad"), ("cancelled", "excluded"),
     ("rate_limited", "excluded")],
)  # fmt: skip
def test_every_outcome_is_good_bad_or_excluded(scraped: Scraped, outcome: str, figure: str) -> None:
    scraped.scrape(SERVED)
    found = scraped.scrape(ended(5, outcome))
    assert found is not None
    assert {key.figure for key, value in found.items() if key.scope == "all" and value == 5} == {figure}


def test_how_long_refusals_took_is_no_latency_of_answers(scraped: Scraped) -> None:
    def page(answers: int, refusals: int) -> str:
        told = {"ok": (answers, 0), "bad": (refusals, refusals)}
        labels = 'model="m",route="/generate",version="1"'
        return SERVED + "".join(
            f'podium_request_duration_seconds_bucket{{{labels},outcome_class="{word}",le="{bound}"}} {count}\n'
            for word, (total, quick) in told.items()
            for bound, count in (("0.01", quick), ("+Inf", total))
        )

    scraped.scrape(page(0, 0))
    found = scraped.scrape(page(1, 19))
    assert found is not None
    assert (found[of_model("e2e_seconds", 0.01)], found[of_model("e2e_seconds", float("inf"))]) == (0, 1)


def test_probes_are_no_requests(scraped: Scraped) -> None:
    scraped.scrape(SERVED)
    found = scraped.scrape(ended(5, route="/readyz"))
    assert found is not None
    assert of_all("good") not in found


def test_an_engine_without_progress_is_told_in_seconds(scraped: Scraped) -> None:
    found = scraped.scrape(f'podium_engine_last_progress_timestamp_seconds{{model="m",version="1"}} 4993\n{SERVED}')
    assert found is not None
    assert found[of_model("stalled_seconds")] == 7


def test_versions_of_a_model_add_up_and_its_kv_cache_does_not(scraped: Scraped) -> None:
    def gauges(name: str) -> str:
        return "".join(f'{name}{{model="m",version="{version}"}} 0.{version}\n' for version in (3, 5))

    found = scraped.scrape(gauges("podium_model_running_sequences") + gauges("podium_kv_cache_usage_ratio"))
    assert found is not None
    assert found[of_model("running")] == pytest.approx(0.8)
    assert found[of_model("kv_ratio")] == 0.5


def test_a_model_that_is_not_configured_has_no_figures_of_its_own(scraped: Scraped) -> None:
    scraped.scrape(SERVED)
    found = scraped.scrape(ended(5).replace('model="m"', 'model="none"'))
    assert found is not None
    assert found[of_all("good")] == 5


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        ("<html>", "garbage", "no exposition"),
        (ScrapeRefused(401), "refused", "401"),
        (ScrapeRefused(500), "garbage", "500"),
        (httpx.ConnectError("x"), "stale", "ConnectError"),
        (TimeoutError(), "stale", "TimeoutError"),
    ],
)
def test_a_failure_is_a_gap_and_has_a_name(scraped: Scraped, answer: str | Exception, state: str, words: str) -> None:
    scraped.scrape(ended(1))
    assert scraped.scrape(answer) is None
    assert scraped.target.state == state
    assert words in scraped.target.problem
    assert scraped.target.levels == {}
    scraped.scrape(ended(1))
    assert (scraped.target.state, scraped.target.problem) == ("up", "")


def gpu(number: str, *, used: int = 40, joules: float = 100.0) -> str:
    told = {"memory_used_bytes": used, "memory_size_bytes": 80, "utilization_ratio": 0.5, "energy_joules_total": joules}
    return "".join(f'podium_gpu_{name}{{gpu="{number}"}} {value}\n' for name, value in told.items())


def test_each_gpu_is_told_with_the_power_between_two_scrapes(scraped: Scraped) -> None:
    scraped.scrape(SERVED + gpu("0") + gpu("1"))
    found = scraped.scrape(SERVED + gpu("0", joules=350.0) + gpu("1", used=60))
    assert scraped.target.gpus.now == [GpuNow("0", 40, 80, 0.5, 250.0), GpuNow("1", 60, 80, 0.5, 0.0)]
    assert found is not None
    assert (found[of_all("gpu_used_bytes")], found[of_all("gpu_joules")]) == (100, 250)


def test_the_gpus_of_a_replica_that_is_away_are_still_there_and_nothing_is_known_of_them(scraped: Scraped) -> None:
    scraped.scrape(SERVED + gpu("0"))
    scraped.scrape(httpx.ConnectError("x"))
    assert scraped.target.gpus.now == [GpuNow("0")]


def test_a_page_with_a_flood_of_gpus_fills_no_memory(scraped: Scraped) -> None:
    scraped.scrape(SERVED + "".join(gpu(name) for name in ("-1", "x", "64", "999999999999", "", "63")))
    assert [one.number for one in scraped.target.gpus.now] == ["63"]


def test_silence_is_first_stale_and_then_down(scraped: Scraped) -> None:
    scraped.scrape(ended(1))
    scraped.scrape(httpx.ConnectError("x"))
    states = [str(scraped.target.state)]
    scraped.clock.now += STALE_SECONDS
    scraped.scrape(httpx.ConnectError("x"))
    assert [*states, scraped.target.state] == ["stale", "down"]
    assert scraped.target.age_seconds() == STALE_SECONDS + 2


def test_the_gateways_counters_belong_to_environments_and_to_its_clients() -> None:
    failed = {"envoy_cluster_name": "blue", "envoy_response_code_class": "5"}
    assert of_envoy("envoy_cluster_upstream_rq_xx", failed) == (Key("environment", "blue", "failed_attempts"),)
    fine = {**failed, "envoy_response_code_class": "2"}
    assert of_envoy("envoy_cluster_upstream_rq_xx", fine) == ()
    client = {"envoy_http_conn_manager_prefix": "gateway", "envoy_response_code_class": "5"}
    assert of_envoy("envoy_http_downstream_rq_xx", client) == (of_all("gateway_errors"),)
    assert of_envoy("envoy_http_downstream_rq_xx", {**client, "envoy_http_conn_manager_prefix": "admin"}) == ()
    assert of_envoy("envoy_cluster_upstream_rq_retry_overflow", failed) == (of_all("retry_overflow"),)


@pytest.mark.parametrize("odd", ["NaN", "+Inf", "1e300"])
def test_a_counter_that_is_no_number_for_a_moment_is_unknown_then_and_counts_nothing_twice(odd: str) -> None:
    """Else a lifetime of errors would fall into the second after it, and wake somebody."""
    one = Scraped()
    one.scrape(ended(1000) + ended(3, "server_error"))
    found = one.scrape(ended(1001) + ended(0, "server_error").replace("} 0", f"}} {odd}", 1))
    assert found is not None
    assert found[of_model("good")] == 1
    assert of_model("bad") not in found
    found = one.scrape(ended(1002) + ended(4, "server_error"))
    assert found is not None
    assert (found[of_model("good")], found[of_model("bad")]) == (1, 1)
    assert one.target.state == "up"


def test_a_level_that_is_no_number_is_not_known() -> None:
    one = Scraped()
    one.scrape(SERVED + 'podium_model_running_sequences{model="m",version="1"} NaN\n')
    assert of_model("running") not in one.target.levels
