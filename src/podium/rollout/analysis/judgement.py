"""From evidence to a verdict (rollout specification, section 3.7). Pure: the same evidence gets the same verdict."""

from __future__ import annotations

import math

import msgspec

from podium.rollout.analysis.certificate import canary_requests_needed, certify
from podium.rollout.analysis.evidence import Evidence
from podium.rollout.analysis.guards import Condition, Offence, offence
from podium.rollout.analysis.policy import Policy
from podium.rollout.analysis.stratum import Stratum
from podium.rollout.analysis.verdict import Advance, Hold, Rollback, Verdict

_UNKNOWN = Condition()
_OFFENCES: dict[Offence, str] = {
    "unready": "the canary has no ready replica",
    "crash-loop": "the canary's replicas restart over and over",
}


def judge(evidence: Evidence, policy: Policy, condition: Condition = _UNKNOWN) -> Verdict:
    """The verdict now. What hurts users comes first: guards, evidence, then doubts about the data, then promotion."""
    bad = offence(condition, policy.max_restarts)
    if bad is not None:
        return Rollback(bad, _OFFENCES[bad])
    return _worse(evidence, policy) or _doubtful(evidence, policy) or _promotion(evidence, policy)


def _worse(evidence: Evidence, policy: Policy) -> Rollback | None:
    if evidence.peak_log_e < policy.log_alarm:
        return None
    odds = math.exp(min(evidence.peak_log_e, 700.0))  # beyond, a float ends
    sentence = (
        f"the canary is worse in {evidence.peak_metric}: evidence reached {odds:.3g} to 1, "
        f"{1 / policy.alpha:.3g} is enough"
    )
    return Rollback("evidence", sentence, evidence.peak_metric)


def _doubtful(evidence: Evidence, policy: Policy) -> Hold | None:
    ratio = evidence.sample_ratio
    if ratio.peak_log_e >= policy.log_sample_ratio_alarm:
        seen = ratio.canary / max(1, ratio.canary + ratio.stable)
        sentence = f"the canary is declared {ratio.share:.3%} of traffic but counts {seen:.3%}: mend split or counting"
        return Hold("instrumentation", sentence)
    for arm, idle in (("canary", evidence.idle_canary), ("stable version", evidence.idle_stable)):
        seconds = idle * policy.interval_seconds
        if seconds >= policy.blind_seconds:
            return Hold("blind", f"the {arm} has had no attempt for {seconds:.0f} s; nothing can be compared")
    return None


def _promotion(evidence: Evidence, policy: Policy) -> Advance | Hold:
    certificates = {metric: certify(counts, policy.beta) for metric, counts in evidence.totals.items() if _seen(counts)}
    if len(certificates) < len(evidence.totals):
        return Hold("evidence", "an arm has had no attempts yet in this step")
    needed = [_needed(counts, evidence, policy) for counts in evidence.totals.values()]
    if None in needed:
        return Hold("evidence", _never(evidence, policy))
    rest = max(
        total - counts.canary_attempts
        for total, counts in zip(needed, evidence.totals.values(), strict=True)
        if total is not None
    )
    if rest > 0:
        return _wait_for_requests(rest, evidence, policy)
    if evidence.intervals * policy.interval_seconds < policy.soak_seconds:
        return _wait_for_time(evidence, policy)
    highest = max(certificate.increase_at_most for certificate in certificates.values())
    sentence = (
        f"the bad rate grows by {highest:.2%} at most, {policy.max_bad_rate_increase:.2%} is allowed "
        f"(true at all times with probability {1 - policy.beta:.3g})"
    )
    return Advance("certified", sentence, certificates)


def _seen(counts: Stratum) -> bool:
    return bool(counts.canary_attempts and counts.stable_attempts)


def _needed(counts: Stratum, evidence: Evidence, policy: Policy) -> int | None:
    """Canary requests in all; what a step has had when that is enough."""
    share = evidence.sample_ratio.share
    return canary_requests_needed(
        counts,
        beta=policy.beta,
        max_increase=policy.max_bad_rate_increase,
        at_least=policy.min_canary_requests,
        stable_per_canary=(1 - share) / share,
    )


def _never(evidence: Evidence, policy: Policy) -> str:
    worst = max(_increase(counts) for counts in evidence.totals.values())
    return (
        f"the canary's bad rate is {worst:.2%} above the stable one so far and {policy.max_bad_rate_increase:.2%} is "
        "allowed: no number of requests promotes it at these rates"
    )


def _increase(counts: Stratum) -> float:
    return counts.canary_bad / counts.canary_attempts - counts.stable_bad / counts.stable_attempts


def _wait_for_requests(rest: int, evidence: Evidence, policy: Policy) -> Hold:
    counts = max(evidence.totals.values(), key=lambda total: total.canary_attempts)
    minutes = rest / counts.canary_attempts * evidence.intervals * policy.interval_seconds / 60
    sentence = f"needs {rest:,} more canary requests, about {_in_words(minutes)} at this traffic"
    return Hold("evidence", sentence, rest, minutes)


def _in_words(minutes: float) -> str:
    return f"{minutes:.3g} minutes" if minutes >= 1 else f"{max(1, round(60 * minutes))} s"


def _wait_for_time(evidence: Evidence, policy: Policy) -> Hold:
    rest = policy.soak_seconds - evidence.intervals * policy.interval_seconds
    return Hold("soak", f"proven; the step lasts at least {rest:.0f} s more", 0, rest / 60)


def minutes_at(evidence: Evidence, policy: Policy, share: float) -> float | None:
    """How long promotion would still take if the canary had ``share`` of today's traffic; None as in ``Hold``.

    A larger share is safe where the gateway retries a failed canary attempt on the stable version.
    """
    moved = msgspec.structs.replace(evidence, sample_ratio=evidence.sample_ratio.at(share))
    found = []
    for counts in evidence.totals.values():
        needed = _needed(counts, moved, policy) if _seen(counts) and 0 < share < 1 else None
        if needed is None:
            return None
        requests = counts.canary_attempts + counts.stable_attempts
        per_minute = requests * share / (evidence.intervals * policy.interval_seconds) * 60
        found.append((needed - counts.canary_attempts) / per_minute)
    return max(found)
