"""A run as one number."""

from __future__ import annotations

import pytest

from podium.bench.record import Failure, Outcome
from podium.bench.search.objective import parse_objective
from podium.bench.tuning.goal import WORST, Goal, score
from support.bench_runs import PLAN, request

RECORDS = [request(2.5 + 0.1 * number, 0.2, index=number, tokens=5) for number in range(100)]


def test_latency_is_the_mean_end_to_end_from_the_planned_time() -> None:
    assert score(Goal.LATENCY, RECORDS, PLAN, [], 1.0).value == pytest.approx(0.24)


def test_throughput_is_seconds_for_a_thousand_tokens() -> None:
    assert score(Goal.THROUGHPUT, RECORDS, PLAN, [], 1.0).value == pytest.approx(1000 * 30 / 500)


def test_tokens_count_when_they_arrive_and_not_with_the_request_that_was_planned() -> None:
    """Each request reaches over an edge of the window (2 to 32 s): the first with its tokens inside."""
    over_the_edges = [request(1.0, 2.0, index=1, tokens=10), request(31.0, 2.0, index=2, tokens=20)]
    found = score(Goal.THROUGHPUT, [*over_the_edges, *RECORDS], PLAN, [], 1.0).value
    assert found == pytest.approx(1000 * 30 / (500 + 10))


def test_cost_is_the_servers_processor_time_for_a_thousand_tokens_warm_up_included() -> None:
    warm = [request(0.1, index=900), request(0.2, index=901)]
    assert score(Goal.COST, [*warm, *RECORDS], PLAN, [], 4.0).value == pytest.approx(1000 * 4 / 510)


def test_a_missed_objective_is_told_by_how_much() -> None:
    objective = parse_objective("ttft p95 < 100ms")
    assert score(Goal.LATENCY, RECORDS, PLAN, [objective], 1.0).missed == pytest.approx(0.95)


def test_a_run_without_a_good_answer_is_the_worst() -> None:
    failed = [request(3.0, outcome=Outcome.FAILED, failure=Failure.RESET)]
    assert score(Goal.COST, failed, PLAN, [], 1.0) == WORST
