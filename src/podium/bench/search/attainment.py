"""How much the bad and good requests of one run say: effective counts, by the spread between stretches of the run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from podium.bench.search.history import Criterion

_STRETCHES = {10: 2.2, 20: 1.45, 40: 1.2}
"""Into how many stretches a run is cut, and how much wider so few make an interval: (t / z) squared at 0.05 %."""
_FEWEST_IN_STRETCH = 10
_MOST_LAG = 0.8


def criterion(name: str, bad: NDArray[np.bool_], allowed: float) -> Criterion:
    """The demand that at most the share ``allowed`` is bad. ``bad``: requests in the order of their schedule."""
    effect = _design_effect(bad.astype(np.float64))
    return Criterion(name=name, bad=float(bad.sum()) / effect, count=len(bad) / effect, allowed=allowed, effect=effect)


def _design_effect(bad: NDArray[np.float64]) -> float:
    """How many times more the share varies between stretches than independent requests would make it; at least 1."""
    share = float(bad.mean()) if len(bad) else 0.0
    if not 0 < share < 1:
        return 1.0
    found = [1.0]
    for stretches, caution in _STRETCHES.items():
        size = len(bad) // stretches
        if size >= _FEWEST_IN_STRETCH:
            means = bad[: size * stretches].reshape(stretches, size).mean(axis=1)
            found.append(caution * float(means.var(ddof=1)) * size / (share * (1 - share)))
            if stretches == min(_STRETCHES):
                found[-1] *= _memory(means)
    return max(found)


def _memory(means: NDArray[np.float64]) -> float:
    """The factor by which stretches that resemble their neighbours say less (a first-order autoregression)."""
    around = means - means.mean()
    squares = float(around @ around)
    lag = float(around[1:] @ around[:-1]) / squares if squares else 0.0
    lag = min(max(lag, 0.0), _MOST_LAG)
    return (1 + lag) / (1 - lag)
