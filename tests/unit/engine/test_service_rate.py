"""How fast a model works off requests."""

from __future__ import annotations

import pytest

from podium.engine.service_rate import ServiceRate
from support.admission import Clock


def work(rate: ServiceRate, clock: Clock, *, requests: int, seconds: float, tokens: int = 100, used: int = 100) -> None:
    for _ in range(requests):
        clock.now += seconds
        rate.record(tokens, permits=1, used_tokens=used)


def test_the_rate_is_the_work_that_ended_over_the_time_it_took() -> None:
    clock = Clock()
    rate = ServiceRate(1, clock)
    rate.watch(busy=True)
    work(rate, clock, requests=11, seconds=2.0)
    # 11 requests of 100 tokens ended in 22 s, so 500 more tokens take 10 s.
    assert rate.seconds_for(500) == pytest.approx(10.0)
    assert rate.tokens_per_second == pytest.approx(50.0)


def test_nothing_is_known_before_as_many_permits_were_given_back_as_there_are() -> None:
    clock = Clock()
    rate = ServiceRate(4, clock)
    rate.watch(busy=True)
    assert rate.seconds_for(1) is None
    work(rate, clock, requests=3, seconds=1.0)
    assert rate.seconds_for(1) is None
    assert rate.tokens_per_second == 0
    work(rate, clock, requests=1, seconds=1.0)
    assert rate.seconds_for(100) == pytest.approx(1.0)


def test_quiet_times_do_not_count() -> None:
    clock = Clock()
    rate = ServiceRate(1, clock)
    rate.watch(busy=True)
    work(rate, clock, requests=10, seconds=1.0)
    rate.watch(busy=False)
    work(rate, clock, requests=10, seconds=3600.0)
    rate.watch(busy=True)
    assert rate.seconds_for(100) == pytest.approx(1.0)


def test_a_pause_counts_when_the_work_that_ran_meanwhile_has_ended() -> None:
    clock = Clock()
    rate = ServiceRate(1, clock)
    rate.watch(busy=True)
    work(rate, clock, requests=10, seconds=1.0)
    clock.now += 89.0
    assert rate.seconds_for(100) == pytest.approx(1.0)
    work(rate, clock, requests=1, seconds=1.0)
    assert rate.seconds_for(110) == pytest.approx(10.0)


def test_old_completions_are_forgotten() -> None:
    clock = Clock()
    rate = ServiceRate(2, clock)
    rate.watch(busy=True)
    work(rate, clock, requests=100, seconds=60.0)
    work(rate, clock, requests=64, seconds=1.0)
    assert rate.seconds_for(100) == pytest.approx(1.0)


def test_a_wide_batch_is_measured_over_more_than_itself() -> None:
    clock = Clock()
    rate = ServiceRate(512, clock)
    rate.watch(busy=True)
    work(rate, clock, requests=600, seconds=1.0)
    assert rate.seconds_for(100) == pytest.approx(1.0)


def test_work_counts_as_it_was_expected_so_that_waiting_work_is_not_overrated() -> None:
    clock = Clock()
    rate = ServiceRate(1, clock)
    rate.watch(busy=True)
    work(rate, clock, requests=10, seconds=1.0, tokens=1000, used=50)
    # Each asked for 1000 and was done in a second; five that wait and ask the same take five.
    assert rate.seconds_for(5 * 1000) == pytest.approx(5.0)


def test_requests_of_unknown_size_count_as_usual_ones() -> None:
    clock = Clock()
    rate = ServiceRate(1, clock)
    rate.watch(busy=True)
    assert rate.usual_tokens == 1
    work(rate, clock, requests=20, seconds=1.0, tokens=0, used=300)
    assert rate.usual_tokens == 300
    assert rate.seconds_for(5 * rate.usual_tokens) == pytest.approx(5.0)


def test_the_usual_request_follows_what_is_used() -> None:
    rate = ServiceRate(1, Clock())
    for _ in range(100):
        rate.record(0, permits=1, used_tokens=300)
    for _ in range(100):
        rate.record(0, permits=1, used_tokens=50)
    assert 50 <= rate.usual_tokens <= 52


def test_requests_that_end_in_no_time_do_not_break_the_rate() -> None:
    rate = ServiceRate(1, Clock())
    rate.watch(busy=True)
    rate.record(0, permits=1, used_tokens=0)
    assert rate.seconds_for(1000) == 0
    assert rate.tokens_per_second == 0
