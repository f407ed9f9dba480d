"""What a rollout needs of the world: somebody who moves traffic, and somebody who sees the servers."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Readiness(NamedTuple):
    """How many servers of an environment pass their check, of how many."""

    ready: int
    servers: int


class TrafficSplitter(Protocol):
    """Moves traffic between two environments. One change at a time."""

    def canary_units(self, canary: str, stable: str) -> int | None:
        """What the canary was last told to get, of 10,000; None when the rest is not all the stable one's."""

    async def split(self, canary: str, stable: str, units: int) -> None:
        """Give the canary so much and the stable one the rest; return when every gateway has confirmed it.

        Raises a ``PodiumError`` with the gateway's own words otherwise; then the split before stands.
        """

    async def make_stable(self, environment: str) -> None:
        """From now on ``environment`` takes over what others fail. Shares stay; nobody is moved.

        Raises as ``split``. Doing it again changes nothing.
        """


class Fleet(Protocol):
    """Sees the servers as the gateway does. None means that the gateway cannot be asked now."""

    async def readiness(self, environment: str) -> Readiness | None:
        """How many servers pass their check; None also while one has not been checked yet."""

    async def answers(self, environment: str) -> bool:
        """Whether the environment's health path is answered through the gateway, by header."""

    async def active(self, environment: str) -> int | None:
        """Requests in flight there, streams included."""
