"""Hands what the attempts log says to whoever counts it."""

from __future__ import annotations

from podium.controller.outcomes import outcomes
from podium.controller.recent_traffic import RecentAttempts
from podium.controller.stable_samples import StableSamples
from podium.gateway.attempts import Attempt
from podium.rollout.reconciler import Reconciler


class AttemptsWatcher:
    """``Watcher`` of ``attempts_reader``: tells plans of the last minute, a rollout of the past and of what happens."""

    def __init__(self, reconciler: Reconciler, recent: RecentAttempts, past: StableSamples) -> None:
        self._reconciler = reconciler
        self._recent = recent
        self._past = past

    def take(self, attempts: list[Attempt]) -> None:
        """See ``Watcher``."""
        self._recent.take(attempts)
        self._past.take(attempts)
        terms = self._reconciler.state.terms
        if terms.environment:
            self._reconciler.take(list(outcomes(attempts, canary=terms.environment, stable=terms.stable)))

    def caught_up(self, at: float) -> None:
        """See ``Watcher``."""
        self._reconciler.caught_up(at)
