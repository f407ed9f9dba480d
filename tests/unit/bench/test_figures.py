"""Every figure follows from its definition."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from podium.bench.figures import counts_of, is_good, ntpot, summarise, tpot
from podium.bench.plan import Load
from podium.bench.record import Failure, Outcome, RequestRecord
from support.load_plans import answered, plan_for

PLAN = plan_for("http://127.0.0.1:1", load=Load(kind="poisson", rate=10, seconds=10.0), warm_up_seconds=2.0)


def test_durations_are_from_the_planned_time_and_from_sending() -> None:
    records = [answered(0, 3.0, [3.1, 3.2, 3.4]), answered(1, 4.0, [4.3, 4.35])]
    found = summarise(records, PLAN)
    assert found is not None
    assert found.ttft_scheduled.mean == pytest.approx(0.2)
    assert found.ttft_sent.mean == pytest.approx(0.199)
    assert found.e2e_scheduled.mean == pytest.approx((0.4 + 0.35) / 2)
    assert found.e2e_sent.most == pytest.approx(0.399)
    assert found.schedule_delay.most == pytest.approx(0.001)
    assert found.itl.count == 3
    assert found.itl.mean == pytest.approx((0.1 + 0.2 + 0.05) / 3)
    assert found.tpot.mean == pytest.approx((0.15 + 0.05) / 2)
    assert found.ntpot.mean == pytest.approx((0.399 / 3 + 0.349 / 2) / 2)


def test_a_single_token_has_no_time_per_output_token_and_still_counts_as_good() -> None:
    record = answered(0, 3.0, [3.1])
    assert tpot(record) is None
    assert ntpot(record) == pytest.approx(0.099)
    assert is_good(record, {"tpot": 0.001, "ttft": 0.2})


def test_the_server_s_usage_counts_and_not_the_frames_or_the_request() -> None:
    record = answered(0, 3.0, [3.1, 3.2], output_tokens_reported=5, output_tokens_asked=9)
    assert tpot(record) == pytest.approx(0.1 / 4)
    found = summarise([record], PLAN)
    assert found is not None
    assert (found.output_tokens.mean, found.tokens_per_frame.mean) == (5.0, 2.5)


def test_failures_are_in_no_latency_and_in_every_share() -> None:
    broken = answered(1, 4.0, [9.9], outcome=Outcome.FAILED, failure=Failure.IN_BAND_ERROR)
    plan = msgspec.structs.replace(PLAN, objectives={"ttft": 0.2})
    found = summarise([answered(0, 3.0, [3.1]), broken, answered(2, 5.0, [5.3])], plan)
    assert found is not None
    assert (found.ttft_sent.count, found.counts.failed) == (2, 1)
    assert found.goodput is not None
    assert (found.goodput.good, found.goodput.offered) == (1, 3)
    assert found.goodput.attainment == pytest.approx(1 / 3)
    assert found.goodput.per_second == pytest.approx(0.1)


def test_the_window_leaves_out_warm_up_and_drain() -> None:
    records = [answered(0, 1.0, [1.5], warm_up=True), answered(1, 3.0, [3.5]), answered(2, 11.9, [12.5])]
    found = summarise(records, PLAN)
    assert found is not None
    assert (found.window.begin, found.window.end) == (2.0, 12.0)
    assert found.counts.offered == found.ttft_sent.count == 2
    assert found.completed_per_second == pytest.approx(0.1)  # the last one ended after the window
    assert counts_of(records).warm_up == 1


def test_throughput_counts_tokens_that_arrived_in_the_window_and_rates_are_between_completions() -> None:
    stamps = [11.7, 11.8, 12.1, 12.2]
    whole = answered(0, 3.0, [4.0, 5.0])
    found = summarise([whole, answered(1, 4.0, [6.0]), answered(2, 11.5, stamps, output_tokens_reported=8)], PLAN)
    assert found is not None
    assert found.output_throughput == pytest.approx((2 + 1 + 4) / 10)
    assert found.request_throughput == pytest.approx(1 / (6.002 - 5.002))


def test_a_growing_queue_is_not_stationary_and_a_steady_one_is() -> None:
    random = np.random.default_rng(3)
    times = np.sort(random.uniform(2, 12, 400))
    steady = [answered(i, at, [at + 0.2, at + 0.4]) for i, at in enumerate(times)]
    growing = [answered(i, at, [at + 0.1 * (at - 2), at + 0.4 + 0.1 * (at - 2)]) for i, at in enumerate(times)]
    for records, expected in ((steady, True), (growing, False)):
        found = summarise(records, PLAN)
        assert found is not None
        assert found.window.stationary is expected


def test_asked_and_delivered_differ_when_requests_are_sent_late() -> None:
    late = [answered(i, 2 + i / 10, [13.0], begun_at=12.5 if i >= 90 else 2 + i / 10) for i in range(100)]
    found = summarise(late, PLAN)
    assert found is not None
    assert found.load.asked_per_second == pytest.approx(10.0)
    assert found.load.delivered_per_second == pytest.approx(9.0)


def test_nothing_offered_has_no_figures() -> None:
    assert summarise([RequestRecord(index=0, scheduled_at=0.0, warm_up=True)], PLAN) is None
