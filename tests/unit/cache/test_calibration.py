"""The calibrator: exact bounds, and the promise that it makes, against simulation."""

from __future__ import annotations

import math
import random
from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.cache.calibration import GRID, binomial_cdf, calibrate, fewest_different, upper_bound


@pytest.mark.parametrize(
    ("successes", "trials", "confidence", "expected"),
    [
        (0, 299, 0.95, 0.009969),  # the rule of three, exactly: 1 - 0.05 ** (1 / 299)
        (1, 100, 0.95, 0.0465598),  # scipy: beta.ppf(0.95, 2, 99)
        (5, 50, 0.975, 0.2181354),  # scipy: beta.ppf(0.975, 6, 45)
        (7, 7, 0.95, 1.0),
    ],
)
def test_the_upper_bound_is_clopper_and_pearson_s(
    successes: int, trials: int, confidence: float, expected: float
) -> None:
    assert upper_bound(successes, trials, confidence) == pytest.approx(expected, abs=2e-6)


@given(st.integers(0, 60), st.integers(1, 60), st.floats(0.001, 0.999))
def test_the_binomial_distribution_is_summed_exactly(successes: int, trials: int, rate: float) -> None:
    terms = (math.comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in range(min(successes, trials) + 1))
    assert binomial_cdf(successes, trials, rate) == pytest.approx(math.fsum(terms), abs=1e-9)


@pytest.mark.parametrize(("bound", "confidence", "needed"), [(0.01, 0.95, 299), (0.05, 0.95, 59), (0.001, 0.99, 4603)])
def test_so_many_different_pairs_are_needed_and_one_less_is_too_few(
    bound: float, confidence: float, needed: int
) -> None:
    assert fewest_different(bound, confidence) == needed
    assert calibrate([], [0.0] * needed, max_false_hits=bound, confidence=confidence) is not None
    assert calibrate([], [0.0] * (needed - 1), max_false_hits=bound, confidence=confidence) is None


def test_the_lowest_threshold_that_passes_is_taken_and_described() -> None:
    different = [0.5] * 990 + [0.8003] * 10
    found = calibrate([0.95, 0.85, 0.7, 0.2], different, max_false_hits=0.02, confidence=0.95)
    assert found is not None
    assert (found.threshold, found.false_hits, found.different) == (0.501, 10, 1000)
    assert (found.hits, found.same, found.hit_rate) == (3, 4, 0.75)
    assert found.false_hit_bound == pytest.approx(0.0169, abs=1e-4)
    strict = calibrate([0.95], different, max_false_hits=0.01, confidence=0.95)
    assert strict is not None
    assert strict.threshold == 0.801


def test_testing_stops_at_the_first_failure_even_if_a_lower_threshold_would_look_better() -> None:
    """More false hits cannot become fewer below, so there is nothing to look for; none passes: no threshold."""
    assert calibrate([1.0], [1.0] * 500, max_false_hits=0.01, confidence=0.95) is None


@given(
    st.lists(st.floats(-1, 1), max_size=200),
    st.lists(st.floats(-1, 1), max_size=200),
    st.sampled_from([0.02, 0.1, 0.3]),
    st.sampled_from([0.6, 0.9, 0.99]),
)
def test_what_is_stated_is_true_of_the_pairs(
    same: list[float], different: list[float], bound: float, confidence: float
) -> None:
    found = calibrate(same, different, max_false_hits=bound, confidence=confidence)
    if found is None:
        return
    assert found.threshold in GRID
    assert found.false_hits == sum(value >= found.threshold for value in different)
    assert found.hits == sum(value >= found.threshold for value in same)
    assert found.false_hit_bound <= bound + 1e-9
    assert found.false_hits / found.different <= bound


SIMULATED_FILES = 1500


@pytest.mark.parametrize(
    ("pairs", "bound", "confidence", "shape"),
    [
        (400, 0.01, 0.95, "smooth"),
        (400, 0.05, 0.9, "smooth"),
        (150, 0.05, 0.8, "stepped"),
        (1000, 0.02, 0.95, "stepped"),
    ],
)
def test_the_stated_bound_holds_in_at_least_the_stated_share_of_simulated_files(
    pairs: int, bound: float, confidence: float, shape: str
) -> None:
    """The true false-hit rate at any threshold is known: similarities are drawn from a known distribution.

    ``stepped`` is the hard case: at one threshold the true rate jumps from just below the bound to just above it,
    so that the test there is passed by chance almost as often as is allowed.
    """
    draw = random.Random(f"{pairs} {bound} {confidence} {shape}")  # noqa: S311 - a simulation
    levels = [0.97, 0.9, 0.8, 0.7, 0.5, 0.2]
    shares = [bound * 0.5, bound * 0.45, bound * 0.1, bound * 0.2, bound * 2, 1 - bound * 3.25]

    def similarity() -> float:
        return draw.betavariate(2, 5) if shape == "smooth" else draw.choices(levels, shares)[0]

    def true_rate(threshold: float) -> float:
        if shape == "stepped":
            return sum(share for level, share in zip(levels, shares, strict=True) if level >= threshold)
        return (1 - threshold) ** 5 * (1 + 5 * threshold)  # of Beta(2, 5)

    broken = stated = 0
    for _ in range(SIMULATED_FILES):
        found = calibrate([], [similarity() for _ in range(pairs)], max_false_hits=bound, confidence=confidence)
        stated += found is not None
        broken += found is not None and true_rate(found.threshold) > bound
    assert stated > 0.5 * SIMULATED_FILES
    assert broken <= (1 - confidence) * SIMULATED_FILES


def test_a_naive_choice_breaks_the_promise_where_ours_keeps_it() -> None:
    """What the correction is for: taking the lowest threshold whose *observed* rate is below the bound."""
    draw = random.Random(7)  # noqa: S311 - a simulation
    bound, broken = 0.01, 0
    for _ in range(300):
        different = sorted(draw.betavariate(2, 5) for _ in range(400))
        naive = min(t for t in GRID if (400 - bisect_left(different, t)) / 400 <= bound)
        broken += (1 - naive) ** 5 * (1 + 5 * naive) > bound
    assert broken > 0.3 * 300
