"""What a rollout needs of the world: somebody who moves traffic, and somebody who sees the servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from podium.rollout.analysis.latency_process import Thresholds
from podium.rollout.analysis.policy import TimedMetric
from podium.rollout.analysis.shadow_evidence import Pair, ShadowTerms


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

    async def set_draining(self, environment: str) -> None:
        """No new request reaches ``environment``, by whatever way, until this is told with an empty name.

        Raises as ``split``. Doing it again changes nothing.
        """

    async def make_stable(self, environment: str) -> None:
        """From now on ``environment`` takes over what others fail. Shares stay; nobody is moved.

        Raises as ``split``. Doing it again changes nothing.
        """


class Shadow(Protocol):
    """Copies a share of the requests, asks both versions, and tells what came of it. No client sees any of that."""

    @property
    def is_on(self) -> bool:
        """Whether requests are copied."""

    @property
    def refusal(self) -> str:
        """Why no more can be compared; empty when nothing is in the way."""

    async def begin(self, canary: str, stable: str, terms: ShadowTerms) -> None:
        """Copy requests from now on. Doing it again changes nothing. Raises a ``PodiumError`` as ``split`` does."""

    async def end(self) -> None:
        """Copy none any more. Raises as ``begin``."""

    def take(self) -> tuple[Pair, ...]:
        """The pairs since the last call."""

    async def leaves_uncounted(self, environment: str) -> bool:
        """Whether its servers say that copies count in no quota, and that their answers are not kept."""


class Deployer(Protocol):
    """Loads versions of models, named as NAME@VERSION, on the servers of an environment."""

    async def problems(self, environment: str, version: str) -> list[str]:
        """Why it could not be loaded there, in sentences; changes nothing."""

    async def deployed(self, environment: str, version: str) -> bool:
        """Whether every server has it loaded, and takes the plain name for it; begins that where it is not so.

        Raises a ``PodiumError`` with the server's own words where loading has failed; it is not tried again.
        """


class Past(Protocol):
    """What attempts were like before a rollout."""

    def slow_above(self, environment: str) -> Mapping[TimedMetric, Thresholds]:
        """The quantiles of its newest answers, for the metrics that have enough of them."""


class Fleet(Protocol):
    """Sees the servers as the gateway does. None means that the gateway cannot be asked now."""

    async def readiness(self, environment: str) -> Readiness | None:
        """How many servers pass their check; None also while one has not been checked yet."""

    async def answers(self, environment: str) -> bool:
        """Whether the environment's health path is answered through the gateway, by header."""

    def restarts(self, environment: str, *, since: float) -> int:
        """How often a local server of it was started again after ``since``; those that run elsewhere are not seen."""

    async def active(self, environment: str) -> int | None:
        """Requests in flight there, streams included."""
