"""Evidence from the same request answered by both versions (shadow traffic).

A checker says of each answer whether it is good. Only pairs where one is good and one is bad tell anything; when the
version makes no difference either order is equally likely (McNemar; rollout specification, section 3.6). A text that
merely differs is not worse: calibrate the checker with the stable version against itself.
"""

from __future__ import annotations

import math
from typing import Self

import msgspec

from podium.rollout.analysis.mixture import ODDS_RATIOS, log_mean


class PairedProcess(msgspec.Struct, frozen=True):
    """The e-process of yes-or-no checks. Pairs on which both answers agree change nothing."""

    only_canary_bad: int = 0
    only_stable_bad: int = 0

    def after(self, *, stable_good: bool, canary_good: bool) -> Self:
        """One pair of answers later."""
        if stable_good == canary_good:
            return self
        if stable_good:
            return msgspec.structs.replace(self, only_canary_bad=self.only_canary_bad + 1)
        return msgspec.structs.replace(self, only_stable_bad=self.only_stable_bad + 1)

    @property
    def log_e(self) -> float:
        """The natural logarithm of the evidence that the canary's answers are bad more often."""
        return log_mean([self._log_factor(theta) for theta in ODDS_RATIOS])

    def _log_factor(self, theta: float) -> float:
        worse, better = math.log(2 * theta / (1 + theta)), math.log(2 / (1 + theta))
        return self.only_canary_bad * worse + self.only_stable_bad * better
