"""Schedules are drawn beforehand, from a seed, with the distribution that was asked for."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from scipy import stats

from podium.bench.arrivals import schedule
from podium.bench.plan import Load, RunPlan, Target, Turn, Workload

P_VALUE = 0.01
TARGET = Target(url="http://127.0.0.1:1", model="m")


def _plan(load: Load, **changes: object) -> RunPlan:
    plan = RunPlan(target=TARGET, load=load, warm_up_seconds=0.0)
    return msgspec.structs.replace(plan, **changes)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_gaps_of_poisson_arrivals_are_exponential(seed: int) -> None:
    times, _ = schedule(_plan(Load(kind="poisson", rate=50, seconds=100), seed=seed))
    assert stats.kstest(np.diff(times), stats.expon(scale=1 / 50).cdf).pvalue > P_VALUE
    assert stats.kstest(times, stats.uniform(0, 100).cdf).pvalue > P_VALUE


@pytest.mark.parametrize("burstiness", [0.25, 0.5, 4.0])
def test_gaps_of_gamma_arrivals_have_the_asked_shape(burstiness: float) -> None:
    times, _ = schedule(_plan(Load(kind="gamma", rate=50, seconds=100, burstiness=burstiness)))
    wanted = stats.gamma(burstiness, scale=1 / (50 * burstiness))
    assert stats.kstest(np.diff(times), wanted.cdf).pvalue > P_VALUE


def test_the_same_test_tells_bursty_arrivals_from_poisson() -> None:
    times, _ = schedule(_plan(Load(kind="gamma", rate=50, seconds=100, burstiness=0.5)))
    assert stats.kstest(np.diff(times), stats.expon(scale=1 / 50).cdf).pvalue < 1e-6


def test_a_ramp_arrives_at_a_rate_that_grows_evenly() -> None:
    times, _ = schedule(_plan(Load(kind="ramp", rate=10, end_rate=90, seconds=100)))
    done = (10 * times + 0.4 * times**2) / 5000  # the integral of the rate, as a share of the whole
    assert stats.kstest(done, stats.uniform(0, 1).cdf).pvalue > P_VALUE


def test_a_constant_rate_is_even_and_exact() -> None:
    times, _ = schedule(_plan(Load(kind="constant", rate=4, seconds=2)))
    assert times.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75]


def test_stages_and_a_spike_have_their_rates_where_they_should() -> None:
    times, stages = schedule(_plan(Load(kind="stages", stages=[(100, 10), (400, 10)], seconds=20)))
    assert [int((stages == stage).sum()) for stage in (0, 1)] == [
        pytest.approx(1000, rel=0.15),
        pytest.approx(4000, rel=0.15),
    ]
    assert times[stages == 0].max() < 10 <= times[stages == 1].min()
    spike, of = schedule(_plan(Load(kind="spike", rate=10, end_rate=1000, seconds=10)))
    assert [float(spike[of == stage].min() // 2 * 2) for stage in (0, 1, 2)] == [0.0, 4.0, 6.0]
    assert int((of == 1).sum()) == pytest.approx(2000, rel=0.15)


def test_a_schedule_depends_on_the_seed_and_on_nothing_else() -> None:
    plan = _plan(Load(kind="poisson", rate=20, seconds=10))
    again = msgspec.structs.replace(plan, workers=3, target=Target(url="http://x", model="y"))
    assert schedule(plan)[0].tolist() == schedule(again)[0].tolist()
    assert schedule(plan)[0].tolist() != schedule(msgspec.structs.replace(plan, seed=2))[0].tolist()


def test_the_warm_up_comes_first_and_is_not_counted_in_the_most_requests() -> None:
    times, stages = schedule(_plan(Load(kind="constant", rate=10, seconds=5, most_requests=7), warm_up_seconds=2.0))
    assert stages.tolist() == [-1] * 20 + [0] * 7
    assert times[20] == pytest.approx(2.0)


def test_a_trace_keeps_its_gaps_divided_by_the_speed() -> None:
    turns = [Turn(at=at, prompt_tokens=1, output_tokens=1) for at in (100.0, 103.0, 101.0)]
    plan = _plan(Load(kind="trace", speed=2.0), workload=Workload(kind="trace", turns=turns))
    assert schedule(plan)[0].tolist() == [0.0, 0.5, 1.5]
