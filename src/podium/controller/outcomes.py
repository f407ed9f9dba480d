"""Lines of the attempts log as the outcomes that a rollout counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from podium.gateway.attempts import Attempt
from podium.gateway.cluster import environment_of
from podium.rollout.outcome import Arm, Outcome

_KEPT = frozenset({"hit", "semantic", "attach"})


def outcomes(attempts: Iterable[Attempt], *, canary: str, stable: str) -> Iterator[Outcome]:
    """First attempts that the weights sent to one of the two; retries, pins and other environments are left out.

    The arm is where the weights sent it. An environment whose servers are all out is skipped by its shield, so that
    another one answers: then this attempt failed for want of a healthy server, whatever the client got.
    """
    arms = {canary: "canary", stable: "stable"}
    for attempt in attempts:
        arm = arms.get(environment_of(attempt.cluster or ""))
        if arm is None or not attempt.was_split or attempt.began is None:
            continue
        yield outcome_of(attempt, "canary" if arm == "canary" else "stable")


def outcome_of(attempt: Attempt, arm: Arm) -> Outcome:
    """What one line says of an attempt that the weights sent to ``arm``."""
    skipped = attempt.environment != environment_of(attempt.cluster or "")
    early = attempt.first_byte_us is None
    report = attempt.answer
    cut = not skipped and not early and attempt.is_faulted and not attempt.is_server_error
    has_tokens = report is not None and report.end != "broken"
    return Outcome(
        key=attempt.key,
        arm=arm,
        began=attempt.began or 0.0,
        ended=attempt.ended,
        failed=skipped or attempt.is_server_error or (early and attempt.is_faulted),
        broken=cut or (report is not None and report.end == "broken"),
        invalid=report is not None and report.end == "empty",
        seconds_per_token=report.seconds_per_token if report is not None and has_tokens else None,
        first_byte_seconds=attempt.first_byte_seconds,
        lasted_seconds=attempt.seconds,
        kept=attempt.cache in _KEPT,
        user=None if attempt.user is None else hash(attempt.user),  # salted anew in each process, and never written
    )
