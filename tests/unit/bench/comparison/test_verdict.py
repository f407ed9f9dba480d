"""What runs of A and B say."""

from __future__ import annotations

import numpy as np
import pytest

from podium.bench.comparison.metrics import DEFAULT, metrics_named
from podium.bench.comparison.verdict import Comparison, Verdict, compare
from podium.bench.result import Invalidity, Reason, RunResult
from podium.core.errors import InvalidRequest
from support.bench_runs import run_with


def runs(count: int, slowness: float, noise: float, seed: int) -> list[RunResult]:
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        ttft, tpot, rate = np.exp(draw.normal(0, noise, 3))
        found.append(
            run_with(
                ttft_scheduled=0.1 * slowness * float(ttft),
                tpot=0.02 * slowness * float(tpot),
                e2e_scheduled=2 * slowness * float(tpot),
                output_throughput=300 / slowness * float(rate),
            )
        )
    return found


def judged(slowness: float, *, count: int = 10, noise: float = 0.01, paired: bool = True, seed: int = 1) -> Comparison:
    sides = runs(count, 1.0, noise, seed), runs(count, slowness, noise, seed + 1000)
    return compare(*sides, metrics_named(DEFAULT), paired=paired)


@pytest.mark.parametrize("paired", [True, False])
def test_slower_is_worse_and_faster_is_better(paired: bool) -> None:  # noqa: FBT001 - a parameter of the test
    worse, better = judged(1.05, paired=paired), judged(0.95, paired=paired)
    assert worse.verdict is Verdict.WORSE
    assert better.verdict is Verdict.BETTER
    assert {one.verdict for one in worse.differences} == {Verdict.WORSE}


def test_a_change_below_the_margin_is_proven_to_be_none() -> None:
    assert judged(1.0, noise=0.002).verdict is Verdict.EQUAL
    assert judged(1.004, noise=0.001).verdict is Verdict.EQUAL


def test_noise_leaves_it_open() -> None:
    assert judged(1.0, noise=0.1).verdict is Verdict.UNKNOWN


def test_a_server_compared_with_itself_raises_no_more_alarms_than_it_may() -> None:
    alarms = sum(
        any(one.verdict in {Verdict.WORSE, Verdict.BETTER} for one in judged(1.0, count=8, seed=seed).differences)
        for seed in range(200)
    )
    assert alarms <= 10  # 5 % of 200; the margin keeps the true rate well below


def test_what_such_runs_could_have_found_is_said() -> None:
    quiet, loud = judged(1.0, noise=0.005), judged(1.0, noise=0.05)
    assert quiet.detectable < 0.05 < loud.detectable
    assert judged(1.0, count=3).detectable == float("inf")


def test_an_invalid_run_is_no_evidence() -> None:
    bad = run_with(invalid=[Invalidity(reason=Reason.SCHEDULE_DELAY, detail="late")])
    with pytest.raises(InvalidRequest, match="a run of B is INVALID \\(schedule_delay\\)"):
        compare(runs(2, 1, 0.01, 1), [*runs(1, 1, 0.01, 2), bad], metrics_named(DEFAULT), paired=True)


def test_one_run_says_nothing_about_how_runs_differ() -> None:
    with pytest.raises(InvalidRequest, match="A has 1 run"):
        compare(runs(1, 1, 0.01, 1), runs(1, 1, 0.01, 2), metrics_named(DEFAULT), paired=True)


def test_a_figure_that_a_run_lacks_is_left_out_with_the_reason() -> None:
    found = compare(runs(6, 1, 0.01, 1), runs(6, 1, 0.01, 2), metrics_named(("ttft_p50", "itl_p50")), paired=True)
    assert [one.metric for one in found.differences] == ["ttft_p50"]
    assert found.left_out == {"itl_p50": "not every run has it"}


def test_an_unknown_metric_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InvalidRequest, match=r"speed: no such metric; there are ttft_p50"):
        metrics_named(("speed",))
