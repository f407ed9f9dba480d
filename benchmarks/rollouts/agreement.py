"""The arrays compute what the product computes; checked before every simulation."""

from __future__ import annotations

import numpy as np

from benchmarks.rollouts.promotion import log_mismatches, upper_bounds
from benchmarks.rollouts.rules import log_evidence, upper_tail
from benchmarks.rollouts.traffic import Case, draw
from podium.rollout.analysis.confidence_sequence import upper_bound
from podium.rollout.analysis.fisher_process import FisherProcess
from podium.rollout.analysis.sample_ratio import log_mismatch
from podium.rollout.analysis.stratum import Stratum


def check_agreement() -> None:
    """Compare at random points.

    Raises:
        AssertionError: an array differs from the product's function, or Fisher's tail from scipy's.
    """
    from scipy.stats import hypergeom  # noqa: PLC0415 - slow to import, and only for this

    random = np.random.default_rng(1)
    traffic = draw(Case("check", 10, 0.2, 0.1, minutes=5), 3, random)
    arrays = (traffic.stable, traffic.stable_bad, traffic.canary, traffic.canary_bad)
    logs = log_evidence(*arrays)
    for run in range(3):
        process = FisherProcess()
        for at in range(traffic.stable.shape[1]):
            process = process.after(Stratum(*(int(values[run, at]) for values in arrays)))
            assert np.isclose(process.log_e, logs[run, at]), "evidence"
    attempts = random.integers(1, 40_000, 200)
    bad = random.binomial(attempts, 0.01)
    bounds = [upper_bound(k, n, 0.025) for k, n in zip(bad.tolist(), attempts.tolist(), strict=True)]
    assert np.allclose(bounds, upper_bounds(bad, attempts, 0.025), atol=1e-9), "bounds"
    ratios = [log_mismatch(0.1, n - k, k) for k, n in zip(bad.tolist(), attempts.tolist(), strict=True)]
    assert np.allclose(ratios, log_mismatches(0.1, attempts - bad, bad)), "sample ratio"
    canary = random.binomial(attempts, 0.1)
    hits = np.minimum(random.binomial(bad, 0.2), canary)
    expected = hypergeom.sf(hits - 1, attempts, bad, canary)
    assert np.allclose(upper_tail(hits, canary, attempts - canary, bad), expected, atol=1e-7), "Fisher's test"
