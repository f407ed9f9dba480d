"""What the control routes need of the controller, as interfaces, and the object that carries it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request

from podium.api.gatekeeper import Gatekeeper
from podium.config.server import RequestLimits
from podium.protocols.control import TrafficAnswer
from podium.protocols.monitoring import AlertsAnswer, DashboardAnswer, MonitoringHealth, ScrapeTargets, Span
from podium.protocols.rollouts import EventsAnswer, PlanAnswer, RolloutAnswer, RolloutRequest, RolloutsAnswer


class TrafficControl(Protocol):
    """Shows and moves traffic."""

    @property
    def confirmed(self) -> bool:
        """Whether a gateway is connected and has confirmed what it was told."""

    async def show(self) -> TrafficAnswer:
        """The split, the environments, and what became of their attempts."""

    async def set_weights(self, weights: Mapping[str, float]) -> None:
        """Return when the gateway has confirmed the split; raise a ``PodiumError`` and change nothing otherwise."""


class Monitoring(Protocol):
    """What the monitor knows. Nothing here waits for anything."""

    def dashboard(self, span: Span) -> DashboardAnswer:
        """Everything that the page shows of the newest ``span``."""

    def alerts(self) -> AlertsAnswer:
        """Every rule's state, what fires, and what has ended."""

    def health(self) -> MonitoringHealth:
        """Whether all is well, and what is not."""

    def scrape_targets(self) -> list[ScrapeTargets]:
        """The servers whose metrics the monitor reads, by environment."""

    def metrics(self) -> bytes:
        """The monitor's own figures, in Prometheus's text format."""


class RolloutControl(Protocol):
    """Starts, shows and decides. ``actor`` is who did it, for the log. Everything may raise a ``PodiumError``."""

    async def plan(self, wish: RolloutRequest) -> PlanAnswer:
        """What a start would do, and why it would be refused."""

    async def start(self, wish: RolloutRequest, *, actor: str) -> RolloutAnswer:
        """Begin a rollout."""

    async def current(self) -> RolloutAnswer:
        """The rollout that runs, or the last one."""

    async def overview(self) -> RolloutsAnswer:
        """All rollouts, newest first."""

    async def events(self, after: int) -> EventsAnswer:
        """The log after an event."""

    async def approve(self, reason: str, *, actor: str) -> RolloutAnswer:
        """Let a held rollout go on."""

    async def abort(self, reason: str, *, actor: str) -> RolloutAnswer:
        """Take the canary's traffic away."""

    async def promote(self, reason: str, *, actor: str) -> RolloutAnswer:
        """Give the canary all traffic without proof."""


@dataclass(frozen=True)
class Control:
    """Everything behind the control routes. ``address`` is the host that they listen on."""

    traffic: TrafficControl
    rollouts: RolloutControl
    gatekeeper: Gatekeeper
    limits: RequestLimits
    address: str
    version: str = "0"
    monitoring: Monitoring | None = None


def control_of(request: Request) -> Control:
    """What the application was created with."""
    control: Control = request.app.state.control
    return control
