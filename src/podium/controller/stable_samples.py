"""How long answers of each environment took lately, so that "slow" is known before a canary's first request."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from podium.controller.outcomes import outcome_of
from podium.gateway.attempts import Attempt
from podium.gateway.cluster import environment_of
from podium.rollout.analysis.latency_process import BASELINE_SAMPLES, LatencyProcess, Thresholds
from podium.rollout.analysis.policy import TimedMetric


class StableSamples:
    """``Past`` of ``podium.rollout.ports``: the newest 2,000 of each environment and metric.

    ``since``: when an environment may have begun to run what it runs, in seconds since 1970. Answers of another
    version, from before that, are none of the present one's.
    """

    def __init__(self, since: Callable[[str], float]) -> None:
        self._since = since
        self._samples: dict[tuple[str, TimedMetric], deque[tuple[float, float]]] = {}

    def take(self, attempts: Iterable[Attempt]) -> None:
        """Note the first attempts that have ended well and were computed for their request."""
        for attempt in attempts:
            if not attempt.ended or not attempt.was_split:
                continue
            outcome = outcome_of(attempt, "stable")
            if outcome.failed or outcome.kept:
                continue
            environment = environment_of(attempt.cluster or "")
            self._note(environment, "ttft", outcome.began, outcome.first_byte_seconds)
            self._note(environment, "itl", outcome.began, outcome.seconds_per_token)

    def slow_above(self, environment: str) -> dict[TimedMetric, Thresholds]:
        """See ``Past``."""
        found: dict[TimedMetric, Thresholds] = {}
        since = self._since(environment)
        for (name, metric), samples in self._samples.items():
            if name != environment:
                continue
            own = tuple(seconds for began, seconds in samples if began >= since)
            thresholds = LatencyProcess(baseline=own).frozen().thresholds
            if thresholds is not None:
                found[metric] = thresholds
        return found

    def _note(self, environment: str, metric: TimedMetric, began: float, seconds: float | None) -> None:
        if seconds is not None:
            samples = self._samples.setdefault((environment, metric), deque(maxlen=BASELINE_SAMPLES))
            samples.append((began, round(seconds, 6)))
