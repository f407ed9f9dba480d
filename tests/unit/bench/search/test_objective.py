"""Objectives as people write them, and what a run says about them."""

from __future__ import annotations

import pytest

from podium.bench.record import Failure, Outcome
from podium.bench.search.objective import parse_objective, probe_of
from podium.core.errors import InvalidRequest
from support.bench_runs import PLAN, request


@pytest.mark.parametrize(
    ("text", "name", "allowed", "seconds"),
    [
        ("ttft p95 < 500ms", "ttft", 0.05, 0.5),
        ("E2E p99.9 <= 2s", "e2e", 0.001, 2.0),
        ("tpot p50 < 20 ms", "tpot", 0.5, 0.02),
        ("failures < 1%", "failures", 0.01, None),
    ],
)
def test_an_objective_reads_as_a_sentence(text: str, name: str, allowed: float, seconds: float | None) -> None:
    found = parse_objective(text)
    assert (found.name, found.seconds) == (name, seconds)
    assert found.allowed == pytest.approx(allowed)
    assert parse_objective(found.text) == found


@pytest.mark.parametrize("text", ["", "ttft < 1s", "ttft p0 < 1s", "speed p50 < 1s", "failures < 100%", "ttft p95 < 5"])
def test_anything_else_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is no objective; write `ttft p95 < 500ms`"):
        parse_objective(text)


def test_a_failed_request_misses_every_objective() -> None:
    records = [request(2.5 + 0.1 * number, 0.05, index=number) for number in range(200)]
    records[7] = request(3.2, index=7, outcome=Outcome.FAILED, failure=Failure.TRUNCATED)
    records[9] = request(3.4, 0.8, index=9)
    warm = [request(0.5, 9.0, index=900)]
    slow, failures = parse_objective("ttft p95 < 500ms"), parse_objective("failures < 1%")
    found = probe_of([*warm, *records], PLAN, [slow, failures], "run-01")
    assert [round(one.share * 200) for one in found.criteria] == [2, 1]
    assert found.rate == 10.0
    assert not found.overloaded


def test_a_server_that_falls_behind_is_overloaded() -> None:
    records = [request(0.1 * number, 0.05 + 0.05 * number, index=number) for number in range(320)]
    assert probe_of(records, PLAN, [parse_objective("ttft p95 < 100s")], "run-01").overloaded
