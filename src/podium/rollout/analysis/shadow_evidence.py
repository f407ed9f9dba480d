"""What answers to copied requests tell of a canary that no user has reached yet (specification, section 3.6)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, Self

import msgspec

from podium.rollout.analysis.certificate import canary_requests_needed, certify
from podium.rollout.analysis.mixture import log_mean
from podium.rollout.analysis.paired_process import PairedProcess
from podium.rollout.analysis.policy import Policy
from podium.rollout.analysis.score_process import ScoreProcess
from podium.rollout.analysis.stratum import Stratum
from podium.rollout.analysis.verdict import Advance, Hold, Rollback, Verdict

Check = Literal["good", "similar"]


class ShadowTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a shadow is compared.

    ``share`` of requests is copied, 0 to 1. ``check``: ``good`` asks of each answer whether it is one at all,
    ``similar`` also how much it is like the stable version's. ``max_worse``: the most by which the canary's part of
    bad answers may exceed the stable version's.
    """

    share: float
    check: Check = "good"
    max_worse: float = 0.02


class Pair(msgspec.Struct, frozen=True, array_like=True):
    """Both answers to one copied request. The scores (0 to 1) say how like a stable answer each is; None: not asked."""

    stable_good: bool
    canary_good: bool
    stable_score: float | None = None
    canary_score: float | None = None


class ShadowEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that has been learnt from pairs. ``scores`` is None where likeness is not asked.

    ``peak_log_e`` is the highest combined evidence so far: what was found worse once stays so.
    """

    pairs: int = 0
    both_bad: int = 0
    paired: PairedProcess = PairedProcess()
    scores: ScoreProcess | None = None
    peak_log_e: float = 0.0

    @classmethod
    def start(cls, check: Check) -> Self:
        """No evidence yet."""
        return cls(scores=ScoreProcess() if check == "similar" else None)

    def after(self, pairs: Iterable[Pair]) -> Self:
        """So many pairs later."""
        grown = self
        for pair in pairs:
            grown = grown._after(pair)
        return grown

    @property
    def log_e(self) -> float:
        """The natural logarithm of the combined evidence that the canary's answers are worse."""
        known = [self.paired.log_e, *([] if self.scores is None else [self.scores.log_e])]
        return log_mean(known)

    @property
    def counts(self) -> Stratum:
        """Pairs, and those in which one version alone was bad, as two arms.

        Where both were bad the request was: it proves nothing, and is left out.
        """
        told = self.pairs - self.both_bad
        return Stratum(told, self.paired.only_stable_bad, told, self.paired.only_canary_bad)

    def _after(self, pair: Pair) -> Self:
        scores = self.scores
        if scores is not None and pair.stable_score is not None and pair.canary_score is not None:
            scores = scores.after(stable_score=pair.stable_score, canary_score=pair.canary_score)
        grown = msgspec.structs.replace(
            self,
            pairs=self.pairs + 1,
            both_bad=self.both_bad + (not pair.stable_good and not pair.canary_good),
            paired=self.paired.after(stable_good=pair.stable_good, canary_good=pair.canary_good),
            scores=scores,
        )
        return msgspec.structs.replace(grown, peak_log_e=max(self.peak_log_e, grown.log_e))


def judge_shadow(evidence: ShadowEvidence, terms: ShadowTerms, policy: Policy) -> Verdict:
    """The verdict now. Pure. A canary advances with proof that its answers are bad hardly more often."""
    if evidence.peak_log_e >= policy.log_alarm:
        return Rollback("evidence", _worse(evidence, policy), "validity")
    counts = evidence.counts
    certificate = certify(counts, policy.beta)
    if counts.canary_attempts >= policy.min_canary_requests and certificate.increase_at_most <= terms.max_worse:
        more = f"{certificate.increase_at_most:.2%}"
        sentence = f"after {counts.canary_attempts} pairs, the canary's answers are bad at most {more} more often"
        return Advance("certified", sentence, {"validity": certificate})
    needed = canary_requests_needed(
        counts,
        beta=policy.beta,
        max_increase=terms.max_worse,
        at_least=policy.min_canary_requests,
        stable_per_canary=1.0,
    )
    return _hold(evidence, needed)


def _worse(evidence: ShadowEvidence, policy: Policy) -> str:
    odds = math.exp(min(evidence.peak_log_e, 700.0))  # beyond, a float ends
    paired = evidence.paired
    how = f"{paired.only_canary_bad} answers were bad on the canary alone, {paired.only_stable_bad} on stable alone"
    if evidence.scores is not None and evidence.scores.log_e > paired.log_e:
        how = "they are less like the stable version's than these are like each other"
    return (
        f"the canary's answers to copied requests are worse ({how}): evidence reached {odds:.3g} to 1, "
        f"{1 / policy.alpha:.3g} is enough"
    )


def _hold(evidence: ShadowEvidence, needed: int | None) -> Hold:
    if evidence.pairs == evidence.both_bad:
        bad = f"; in {evidence.pairs} both were bad" if evidence.pairs else ""
        return Hold("evidence", f"no pair with a good answer has been compared yet{bad}")
    if needed is None:
        return Hold("evidence", "the canary's answers are bad too often for any number of pairs to be enough")
    more = needed - evidence.counts.canary_attempts
    return Hold("evidence", f"needs {more} more pairs of answers", more)
