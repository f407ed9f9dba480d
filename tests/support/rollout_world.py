"""A world for rollouts that does as it is told: a splitter, a fleet and a clock, without any gateway."""

from __future__ import annotations

from dataclasses import dataclass, field

from podium.core.errors import PodiumError
from podium.rollout.analysis.latency_process import Thresholds
from podium.rollout.analysis.policy import TimedMetric
from podium.rollout.analysis.shadow_evidence import Pair, ShadowTerms
from podium.rollout.phases import World
from podium.rollout.ports import Readiness


@dataclass
class FakeShadow:
    """``pairs`` are what the next look finds; ``begun`` says whether requests are copied."""

    pairs: list[Pair] = field(default_factory=list)
    refusal: str = ""
    begun: bool = False

    @property
    def is_on(self) -> bool:
        return self.begun

    async def begin(self, canary: str, stable: str, terms: ShadowTerms) -> None:
        assert (canary, stable) == ("green", "blue")
        assert terms.share > 0
        self.begun = True

    async def end(self) -> None:
        self.begun = False

    def take(self) -> tuple[Pair, ...]:
        found, self.pairs = tuple(self.pairs), []
        return found

    async def leaves_uncounted(self, environment: str) -> bool:
        assert environment in {"blue", "green"}
        return True


@dataclass
class FakeWorld:
    """Green takes over from blue. ``told`` holds every split in its order; ``refusal`` is what a gateway answers."""

    seconds: float = 1000.0
    units: int | None = 0
    stable: str = "blue"
    ready: Readiness | None = field(default_factory=lambda: Readiness(2, 2))
    reached: bool = True
    streams: int | None = 0
    refusal: PodiumError | None = None
    told: list[int] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    loaded: bool = True
    restarted: int = 0
    draining: list[str] = field(default_factory=list)
    slow: dict[TimedMetric, Thresholds] = field(default_factory=dict)
    shadow: FakeShadow = field(default_factory=FakeShadow)

    @property
    def world(self) -> World:
        """This as the ports."""
        return World(self, self, self.shadow, self, self, lambda: self.seconds)

    def canary_units(self, canary: str, stable: str) -> int | None:
        assert (canary, stable) == ("green", "blue")
        return self.units

    async def split(self, canary: str, stable: str, units: int) -> None:
        assert (canary, stable) == ("green", "blue")
        if self.refusal is not None:
            raise self.refusal
        self.told.append(units)
        self.units = units

    async def set_draining(self, environment: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.draining.append(environment)

    async def make_stable(self, environment: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.stable = environment

    async def readiness(self, environment: str) -> Readiness | None:
        assert environment == "green"
        return self.ready

    async def answers(self, environment: str) -> bool:
        assert environment == "green"
        return self.reached

    async def active(self, environment: str) -> int | None:
        assert environment in {"blue", "green"}
        return self.streams

    async def problems(self, environment: str, version: str) -> list[str]:
        assert (environment, version) != ("blue", "")
        return []

    async def deployed(self, environment: str, version: str) -> bool:
        assert environment == "green"
        if self.refusal is not None:
            raise self.refusal
        self.versions.append(version)
        return self.loaded

    def slow_above(self, environment: str) -> dict[TimedMetric, Thresholds]:
        assert environment == "blue"
        return self.slow

    def restarts(self, environment: str, *, since: float) -> int:
        assert environment == "green"
        return self.restarted if since else 0
