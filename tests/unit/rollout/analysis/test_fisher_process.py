"""The evidence of yes-or-no metrics is what its theory says: exact on small tables, safe on large ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom, nchypergeom_fisher

from podium.rollout.analysis.fisher_process import FisherProcess, errors_needed, log_gains
from podium.rollout.analysis.mixture import ODDS_RATIOS, log_mean
from podium.rollout.analysis.stratum import Stratum

MARGINS = [
    (stable, canary, bad) for stable in range(1, 9) for canary in range(1, 9) for bad in range(stable + canary + 1)
]
COUNTS = st.integers(0, 60)


def tables(stable: int, canary: int, bad: int) -> list[tuple[Stratum, float]]:
    """Every table with these margins, and its probability when the arm makes no difference."""
    found = []
    for canary_bad in range(max(0, bad - stable), min(bad, canary) + 1):
        ways = math.comb(canary, canary_bad) * math.comb(stable, bad - canary_bad)
        table = Stratum(stable, bad - canary_bad, canary, canary_bad)
        found.append((table, ways / math.comb(stable + canary, bad)))
    return found


@st.composite
def strata(draw: st.DrawFn) -> Stratum:
    stable, canary = draw(COUNTS), draw(COUNTS)
    return Stratum(stable, draw(st.integers(0, stable)), canary, draw(st.integers(0, canary)))


def test_the_mean_of_every_e_value_is_one_when_the_arm_makes_no_difference() -> None:
    """Exact, for all margins up to 8 and 8: given the margins, the null hypothesis is a single distribution."""
    for margins in MARGINS:
        for number in range(len(ODDS_RATIOS)):
            mean = math.fsum(chance * math.exp(log_gains(table)[number]) for table, chance in tables(*margins))
            assert mean == pytest.approx(1.0, abs=1e-12), (margins, number)


def test_the_mean_is_at_most_one_when_the_canary_is_better() -> None:
    for odds in (0.2, 0.7, 1.0):
        for stable, canary, bad in MARGINS[::7]:
            for number in range(len(ODDS_RATIOS)):
                mean = math.fsum(
                    nchypergeom_fisher.pmf(table.canary_bad, stable + canary, bad, canary, odds)
                    * math.exp(log_gains(table)[number])
                    for table, _ in tables(stable, canary, bad)
                )
                assert mean <= 1 + 1e-9


@given(strata())
def test_an_e_value_is_the_likelihood_ratio_of_the_noncentral_hypergeometric(stratum: Stratum) -> None:
    bad = stratum.stable_bad + stratum.canary_bad
    if not (bad and stratum.stable_attempts and stratum.canary_attempts):
        assert log_gains(stratum) == (0.0,) * len(ODDS_RATIOS)
        return
    total = stratum.stable_attempts + stratum.canary_attempts
    margins = (total, bad, stratum.canary_attempts)
    null = hypergeom.logpmf(stratum.canary_bad, *margins)
    for theta, gain in zip(ODDS_RATIOS, log_gains(stratum), strict=True):
        with np.errstate(divide="ignore"):
            other = nchypergeom_fisher.logpmf(stratum.canary_bad, *margins, theta)
        if np.isfinite(other):  # scipy's probability may be too small for a float
            assert gain == pytest.approx(other - null, abs=1e-6)


@given(strata())
def test_one_more_bad_canary_attempt_never_lowers_the_evidence(stratum: Stratum) -> None:
    """Neither when a good attempt turns bad, nor when a bad one comes on top."""
    s = stratum
    worse = [Stratum(s.stable_attempts, s.stable_bad, s.canary_attempts + 1, s.canary_bad + 1)]
    if s.canary_bad < s.canary_attempts:
        worse.append(Stratum(s.stable_attempts, s.stable_bad, s.canary_attempts, s.canary_bad + 1))
    for more in worse:
        assert all(after >= before - 1e-9 for before, after in zip(log_gains(s), log_gains(more), strict=True))


@given(strata())
def test_one_more_bad_stable_attempt_never_raises_the_evidence(stratum: Stratum) -> None:
    s = stratum
    if s.stable_bad < s.stable_attempts:
        milder = Stratum(s.stable_attempts, s.stable_bad + 1, s.canary_attempts, s.canary_bad)
        assert all(after <= before + 1e-9 for before, after in zip(log_gains(s), log_gains(milder), strict=True))


@pytest.mark.parametrize(
    "stratum",
    [Stratum(), Stratum(50, 0, 5, 0), Stratum(0, 0, 5, 5), Stratum(50, 50, 0, 0), Stratum(9, 9, 1, 1)],
    ids=["nothing", "nothing bad", "no stable", "no canary", "all bad"],
)
def test_an_interval_that_cannot_tell_the_arms_apart_is_no_evidence(stratum: Stratum) -> None:
    assert FisherProcess().after(stratum) == FisherProcess()
    assert FisherProcess().log_e == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("share", "errors"), [(0.01, 3), (0.02, 3), (0.05, 3), (0.1, 4), (0.25, 5), (0.5, 9)])
def test_canary_only_errors_that_are_needed_for_a_hundred_to_one(share: float, errors: int) -> None:
    assert errors_needed(share, 0.01) == errors
    attempts = 10_000  # in each interval one bad one, the canary's
    interval = Stratum(round(attempts * (1 - share)), 0, round(attempts * share), 1)
    process, needed = FisherProcess(), 0
    while process.log_e < math.log(100):
        process, needed = process.after(interval), needed + 1
    assert needed == errors


def test_large_counts_neither_overflow_nor_lose_the_evidence() -> None:
    """A million bad attempts of ten million, twice as often on the canary."""
    worse = FisherProcess().after(Stratum(9_000_000, 900_000, 1_000_000, 200_000))
    better = FisherProcess().after(Stratum(9_000_000, 900_000, 1_000_000, 50_000))
    assert 20_000 < worse.log_e < 80_000
    assert all(map(math.isfinite, worse.log_factors))
    assert better.log_e < -1_000
    n, k = 100_000, 15_000
    expected = log_mean([_log_ratio_by_terms(n, k, n, k, theta) for theta in ODDS_RATIOS])
    assert FisherProcess().after(Stratum(n, k, n, k)).log_e == pytest.approx(expected, rel=1e-7)


def _log_ratio_by_terms(stable: int, stable_bad: int, canary: int, canary_bad: int, theta: float) -> float:
    """The same from log-factorials, term by term around where the mass is."""
    bad = stable_bad + canary_bad
    log = math.log(theta)

    def log_ways(j: int) -> float:
        return _log_comb(canary, j) + _log_comb(stable, bad - j)

    terms = [log_ways(j) + j * log for j in range(min(bad, canary) + 1) if bad - j <= stable]
    highest = max(terms)
    total = highest + math.log(math.fsum(math.exp(term - highest) for term in terms))
    return canary_bad * log - total + _log_comb(stable + canary, bad)


def _log_comb(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


@pytest.mark.parametrize(("attempts", "bad"), [(5, 6), (5, -1), (-1, -1)])
def test_impossible_counts_are_refused(attempts: int, bad: int) -> None:
    with pytest.raises(ValueError, match="needed: 0 <= bad <= attempts"):
        Stratum(attempts, bad, 1, 0)
    with pytest.raises(ValueError, match="canary"):
        Stratum(1, 0, attempts, bad)


def test_the_evidence_exceeds_one_in_alpha_more_rarely_than_alpha() -> None:
    """Ville's bound at 1/20, 4,000 rollouts of 60 intervals with 4 % bad: at most 5 % plus three deviations."""
    random = np.random.default_rng(20_260_101)
    runs, alarms = 4_000, 0
    stable, canary = random.poisson(40, (runs, 60)), random.poisson(10, (runs, 60))
    stable_bad, canary_bad = random.binomial(stable, 0.04), random.binomial(canary, 0.04)
    for tables_of_run in zip(stable, stable_bad, canary, canary_bad, strict=True):
        process = FisherProcess()
        for a, b, c, d in zip(*(column.tolist() for column in tables_of_run), strict=True):
            process = process.after(Stratum(a, b, c, d))
            if process.log_e >= math.log(20):
                alarms += 1
                break
    assert 0 < alarms / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
