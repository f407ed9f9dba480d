"""Bounds on a share from counts (Clopper and Pearson), also of counts that are no whole numbers."""

from __future__ import annotations

import math

_HALVINGS = 60
_TERMS = 400
_TINY = 1e-300


def upper_bound(bad: float, count: float, alpha: float) -> float:
    """The share that the true one exceeds with probability ``alpha`` at most."""
    return 1.0 if bad >= count else _quantile(1 - alpha, bad + 1, count - bad)


def lower_bound(bad: float, count: float, alpha: float) -> float:
    """The share below which the true one is with probability ``alpha`` at most."""
    return 0.0 if bad <= 0 else _quantile(alpha, bad, count - bad + 1)


def _quantile(probability: float, a: float, b: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if incomplete_beta(middle, a, b) < probability else (low, middle)
    return (low + high) / 2


def incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (Lentz; DLMF 8.17.22)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - incomplete_beta(1 - x, b, a)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x) - math.log(a)
    )
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d, c = 1 / _not_zero(1 + even * d), _not_zero(1 + even / c)
        fraction *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1 / _not_zero(1 + odd * d), _not_zero(1 + odd / c)
        fraction *= d * c
        if abs(d * c - 1) < 1e-13:
            break
    return front * fraction


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
