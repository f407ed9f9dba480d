"""Evidence from scores between 0 and 1 that both versions' answers to the same request got.

A bet that the canary scores lower: a share of the capital is put on each difference, which is fair while the canary
scores at least as high on average (testing by betting; rollout specification, section 3.6).
"""

from __future__ import annotations

import math
from typing import Self

import msgspec

from podium.rollout.analysis.mixture import log_mean

STAKES = (0.05, 0.1, 0.2, 0.4)  # shares of the capital; below 1, so that no difference can ruin it


class ScoreProcess(msgspec.Struct, frozen=True):
    """The e-process of paired scores. ``log_factors``: the logarithm of the capital of each stake."""

    log_factors: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)

    def after(self, *, stable_score: float, canary_score: float) -> Self:
        """One pair of scores later.

        Raises:
            ValueError: a score is not between 0 and 1.
        """
        for score in (stable_score, canary_score):
            if not 0 <= score <= 1:
                raise ValueError(f"a score of {score}; needed: 0 to 1")
        lost = stable_score - canary_score
        a, b, c, d = (have + math.log1p(stake * lost) for have, stake in zip(self.log_factors, STAKES, strict=True))
        return msgspec.structs.replace(self, log_factors=(a, b, c, d))

    @property
    def log_e(self) -> float:
        """The natural logarithm of the evidence that the canary scores lower."""
        return log_mean(self.log_factors)
