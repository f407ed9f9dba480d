"""What the monitor of a controller is told of the controller: ``ControlPlane`` of ``podium.monitor.own_metrics``."""

from __future__ import annotations

import time
from collections.abc import Callable

from podium.gateway.xds import DiscoveryServer
from podium.rollout.history_on_demand import HistoryOnDemand
from podium.rollout.state import Phase


class PlaneFacts:
    """Read anew each time. ``clock``: seconds since 1970."""

    def __init__(
        self, discovery: DiscoveryServer, history: HistoryOnDemand, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._discovery = discovery
        self._history = history
        self._clock = clock
        self._began = clock()

    @property
    def gateway_rejections(self) -> int:
        """Configurations that gateways have refused so far."""
        return self._discovery.rejections

    @property
    def rollout_waiting_since(self) -> float | None:
        """When the rollout was held, or when the time was over in which its traffic should have been taken away.

        A history that cannot be read waits for somebody too: a rollout may run that nobody looks after.
        """
        if self._history.problem is not None:
            return self._began
        state = self._history.state
        if state.phase is Phase.HELD:
            return state.phase_since
        late = state.phase is Phase.ABORTING and state.deadline is not None and self._clock() > state.deadline
        return state.deadline if late else None
