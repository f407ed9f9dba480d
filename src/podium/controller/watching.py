"""Hands what the attempts log says to whoever counts it."""

from __future__ import annotations

from podium.controller.outcomes import outcomes
from podium.controller.recent_traffic import RecentAttempts
from podium.gateway.attempts import Attempt
from podium.rollout.reconciler import Reconciler


class AttemptsWatcher:
    """``Watcher`` of ``attempts_reader``: the last minute for plans, first attempts for the present rollout."""

    def __init__(self, reconciler: Reconciler, recent: RecentAttempts) -> None:
        self._reconciler = reconciler
        self._recent = recent

    def take(self, attempts: list[Attempt]) -> None:
        """See ``Watcher``."""
        self._recent.take(attempts)
        terms = self._reconciler.state.terms
        if terms.environment:
            self._reconciler.take(list(outcomes(attempts, canary=terms.environment, stable=terms.stable)))

    def caught_up(self, at: float) -> None:
        """See ``Watcher``."""
        self._reconciler.caught_up(at)
