"""Figures that need no simulation, from the product's own functions."""

from __future__ import annotations

from podium.rollout.analysis.certificate import canary_requests_needed
from podium.rollout.analysis.confidence_sequence import clean_attempts_needed
from podium.rollout.analysis.fisher_process import errors_needed
from podium.rollout.analysis.paired_process import PairedProcess
from podium.rollout.analysis.stratum import Stratum


def figures() -> dict[str, object]:
    """Errors, clean attempts, pairs and requests that certain conclusions take."""
    return {
        "errors_needed": {str(share): errors_needed(share, 0.01) for share in (0.01, 0.02, 0.05, 0.1, 0.25, 0.5)},
        "clean_attempts": {str(rate): clean_attempts_needed(rate, 0.05) for rate in (0.05, 0.02, 0.01, 0.005)},
        "pairs_needed": next(n for n in range(1, 100) if PairedProcess(only_canary_bad=n).log_e >= 4.605170185988092),
        "requests_needed": {
            str(rate): {str(increase): requests(rate, increase) for increase in (0.005, 0.01, 0.02, 0.05)}
            for rate in (0.0, 0.001, 0.005, 0.01, 0.02, 0.05)
        },
    }


def requests(rate: float, increase: float, share: float = 0.1) -> int:
    """Canary requests that certify an increase when both arms have the same bad rate, exactly as often as expected."""
    low, high = 1, 2
    while not _enough(high, rate, increase, share):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _enough(middle, rate, increase, share) else (middle, high)
    return high


def _enough(canary: int, rate: float, increase: float, share: float) -> bool:
    stable = round(canary * (1 - share) / share)
    counts = Stratum(stable, round(stable * rate), canary, round(canary * rate))
    needed = canary_requests_needed(
        counts, beta=0.05, max_increase=increase, at_least=1, stable_per_canary=(1 - share) / share
    )
    return needed is not None and needed <= canary
