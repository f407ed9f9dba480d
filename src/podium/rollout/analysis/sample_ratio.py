"""Evidence that traffic is not split as declared, so that no other figure can be believed.

A beta-binomial mixture around the declared share against that share (Lindon and Malek; rollout specification,
section 3.4). Counted are assignments that were made at random: first attempts, or users seen for the first time.
"""

from __future__ import annotations

import math
from typing import Self

import msgspec

_CONCENTRATION = 100.0  # the mixture's weight, in assignments, as the specification chose it
_CERTAIN = 1000.0  # stands for infinity, which JSON cannot write


class SampleRatio(msgspec.Struct, frozen=True):
    """The e-process of one declared share, times those of earlier shares.

    ``peak_log_e`` is the highest logarithm so far: an alarm stays until counting starts anew.
    """

    share: float
    stable: int = 0
    canary: int = 0
    earlier_log_e: float = 0.0
    peak_log_e: float = 0.0

    def after(self, *, stable: int, canary: int) -> Self:
        """With so many more assignments to each arm."""
        moved = msgspec.structs.replace(self, stable=self.stable + stable, canary=self.canary + canary)
        return msgspec.structs.replace(moved, peak_log_e=max(self.peak_log_e, moved.log_e))

    def at(self, share: float) -> Self:
        """Go on with another declared share; the evidence so far is kept as a factor."""
        if share == self.share:
            return self
        return msgspec.structs.replace(self, share=share, stable=0, canary=0, earlier_log_e=self.log_e)

    @property
    def log_e(self) -> float:
        """The natural logarithm of the evidence against the declared shares."""
        return self.earlier_log_e + log_mismatch(self.share, self.stable, self.canary)


def log_mismatch(share: float, stable: int, canary: int) -> float:
    """The logarithm of the evidence. At a share of 0 or 1 an assignment to the wrong arm is certain proof."""
    if not 0 < share < 1:
        return _CERTAIN if (canary if share <= 0 else stable) else 0.0
    a, b = _CONCENTRATION * share, _CONCENTRATION * (1 - share)
    mixed = log_beta(a + canary, b + stable) - log_beta(a, b)
    return mixed - canary * math.log(share) - stable * math.log1p(-share)


def log_beta(a: float, b: float) -> float:
    """The natural logarithm of the beta function."""
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
