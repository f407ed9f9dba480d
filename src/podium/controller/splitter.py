"""The gateway's traffic as a rollout moves it: ``TrafficSplitter`` of ``podium.rollout.ports``."""

from __future__ import annotations

from podium.gateway.topology import TOTAL_WEIGHT
from podium.gateway.traffic import Traffic


class GatewaySplitter:
    """Weights of two environments; any other one has none."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    def canary_units(self, canary: str, stable: str) -> int | None:
        """See ``TrafficSplitter``."""
        weights = self._traffic.topology.weights
        return weights[canary] if weights[canary] + weights[stable] == TOTAL_WEIGHT else None

    async def split(self, canary: str, stable: str, units: int) -> None:
        """See ``TrafficSplitter``."""
        await self._traffic.set_units({canary: units, stable: TOTAL_WEIGHT - units})

    async def set_draining(self, environment: str) -> None:
        """See ``TrafficSplitter``."""
        await self._traffic.set_draining(environment)

    async def make_stable(self, environment: str) -> None:
        """See ``TrafficSplitter``."""
        await self._traffic.set_stable(environment)
