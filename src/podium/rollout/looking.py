"""The verdict on a course: by evidence, or by the plain threshold, whichever the rollout was started with."""

from __future__ import annotations

from podium.rollout.analysis.judgement import judge
from podium.rollout.analysis.shadow_evidence import ShadowEvidence, judge_shadow
from podium.rollout.analysis.stratum import Stratum
from podium.rollout.analysis.threshold import Passage, judge_by_threshold, surely_above
from podium.rollout.analysis.verdict import Hold, Rollback, Verdict
from podium.rollout.course import Course
from podium.rollout.state import WHOLE, Phase


def look(course: Course) -> Verdict:
    """What is to be said of the canary now. Pure."""
    terms = course.state.terms
    if course.state.phase is Phase.SHADOWING and terms.shadow is not None:
        shadow = course.shadow or ShadowEvidence.start(terms.shadow.check)
        return judge_shadow(shadow, terms.shadow, terms.policy)
    if course.passed.units >= WHOLE:
        return _at_full_traffic(course)
    if terms.judged_by == "threshold":
        return judge_by_threshold(_passage(course), terms.max_error_rate)
    if course.evidence is None:
        return Hold("evidence", "nothing has been observed yet")
    return judge(course.evidence, terms.policy)


def seen(course: Course) -> bool:
    """Whether attempts arrive as declared, at the present weights."""
    errors = course.passed.counts.get("errors", Stratum())
    if not course.stands or not errors.canary_attempts:
        return False
    if course.state.terms.judged_by == "threshold":
        return True
    evidence = course.evidence
    if evidence is None or not errors.stable_attempts:
        return False
    return evidence.sample_ratio.peak_log_e < course.state.terms.policy.log_sample_ratio_alarm


def served_everything(course: Course) -> bool:
    """Whether the canary has had requests while all traffic was its own."""
    return course.passed.units >= WHOLE and course.passed.counts.get("errors", Stratum()).canary_attempts > 0


def at_the_end_of_baking(course: Course) -> Rollback | None:
    """What keeps a threshold's rollout from being done, once its time at 100 % is over."""
    terms = course.state.terms
    if terms.judged_by != "threshold" or not served_everything(course):
        return None
    ended = Passage(counts=course.passed.counts.get("errors", Stratum()), seconds=0, needed_seconds=0)
    verdict = judge_by_threshold(ended, terms.max_error_rate)
    return verdict if isinstance(verdict, Rollback) else None


def _at_full_traffic(course: Course) -> Verdict:
    terms = course.state.terms
    counts = course.passed.counts.get("errors", Stratum())
    sentence = "all traffic is the canary's: nothing can be compared; only guards roll back"
    return surely_above(counts, terms.max_error_rate, terms.policy.alpha) or Hold("blind", sentence)


def _passage(course: Course) -> Passage:
    policy = course.state.terms.policy
    return Passage(
        counts=course.passed.counts.get("errors", Stratum()),
        seconds=course.passed.intervals * policy.interval_seconds,
        needed_seconds=policy.soak_seconds,
    )
